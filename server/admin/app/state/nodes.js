// The servers behind the console: one, or those that imadmin stands before.
import {effect, signal} from '../lib.js'
import {session} from './session.js'

/** @typedef {import('../types.d.ts').Node} Node */

const EVERY = 5000

/** @type {import('../types.d.ts').Signal<Node[]>} */
export const nodes = signal([])

/** Whether the console itself cannot be reached. */
export const away = signal(false)

async function ask() {
  const token = session.peek()?.token // without it, imadmin does not name the servers
  try {
    const res = await fetch('nodes', {signal: AbortSignal.timeout(EVERY), ...(token !== undefined && {headers: {Authorization: `Bearer ${token}`}})})
    if (!res.ok) throw new Error(res.statusText)
    nodes.value = (await res.json()).nodes
    away.value = false
  } catch {
    away.value = true
  }
}

/** Asks which nodes there are: now, after each login, and every few seconds while somebody looks. */
export function askNodes() {
  effect(() => { void session.value; void ask() })
  setInterval(() => { if (!document.hidden) void ask() }, EVERY)
  document.addEventListener('visibilitychange', () => { if (!document.hidden) void ask() })
}
