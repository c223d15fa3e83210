// Blocked users, and pending requests of strangers.
import {signal} from '../lib.js'
import {call} from './api.js'
import {loadDialogs} from './conversations.js'
import {tellError} from './notice.js'
import {learn} from './people.js'
import {on} from './socket.js'

/** @typedef {import('../types.d.ts').Request} Request */
/** @typedef {import('../types.d.ts').User} User */

/** @type {import('../types.d.ts').Signal<Set<number>>} */
export const blocked = signal(new Set())

/** Pending ones, the newest first. @type {import('../types.d.ts').Signal<Request[]>} */
export const requests = signal([])

const PAGE = 200

/** Loads a list, all of its pages. @param {string} path; @returns {Promise<any[]>} */
async function loadAll(path) {
  const all = []
  for (let offset = 0; ; offset += PAGE) {
    const part = await call('GET', `${path}?limit=${PAGE}&offset=${offset}`)
    all.push(...part)
    if (part.length < PAGE) return all
  }
}

async function load() {
  const [people, waiting] = await Promise.all([loadAll('/api/users/blocked'), loadAll('/api/requests')])
  people.forEach(learn)
  waiting.forEach(r => learn(r.from))
  blocked.value = new Set(people.map(p => p.id))
  requests.value = waiting
}

function mark(/** @type {number} */ id, /** @type {boolean} */ on) {
  const next = new Set(blocked.peek())
  if (on) next.add(id)
  else next.delete(id)
  blocked.value = next
  requests.value = requests.peek().filter(r => !on || r.from_id !== id)
}

export async function block(/** @type {number} */ id) {
  await call('POST', '/api/users/blocked', {user_id: id})
  mark(id, true)
}

export async function unblock(/** @type {number} */ id) {
  await call('DELETE', `/api/users/blocked/${id}`)
  mark(id, false)
}

/** Answers a request. @param {Request} r; @param {'accept' | 'decline'} how */
export async function answer(r, how) {
  await call('POST', `/api/requests/${r.id}/${how}`)
  settle(r.id, how === 'accept')
}

function settle(/** @type {number} */ id, /** @type {boolean} */ accepted) {
  requests.value = requests.peek().filter(r => r.id !== id)
  if (accepted) void loadDialogs()
}

/** Ends with the session. */
export function forgetRelations() {
  blocked.value = new Set()
  requests.value = []
}

on('connect', () => load().catch(tellError))
on('user.update', ({user_id, change}) => { if (change !== 'unfriended') mark(user_id, change === 'blocked') })
on('request', (/** @type {{request: Request}} */ {request}) => {
  learn(request.from)
  requests.value = [request, ...requests.peek().filter(r => r.id !== request.id)]
})
on('request.update', ({id, change}) => settle(id, change === 'accepted'))
