// The WebSocket: it connects again by itself, and hands frames to who asked for
// their type, all those of one animation frame together.
import {batch, effect, signal} from '../lib.js'
import {call, renew} from './api.js'
import {leave, session, setUpFirst} from './session.js'

/** @typedef {(payload: any) => void} Handler */

/** How the connection stands. @type {import('../types.d.ts').Signal<'off' | 'connecting' | 'on'>} */
export const link = signal('off')

/** Whether there has been no connection for longer than anybody should be bothered with. */
export const away = signal(false)

effect(() => {
  if (link.value !== 'connecting') {
    away.value = false
    return
  }
  const timer = setTimeout(() => { away.value = true }, 1500)
  return () => clearTimeout(timer)
})

/** @type {Map<string, Handler[]>} */
const handlers = new Map()

/** Has a handler called with each payload of a type of frame. */
export function on(/** @type {string} */ type, /** @type {Handler} */ handler) {
  handlers.set(type, [...(handlers.get(type) ?? []), handler])
}

/** @type {WebSocket | null} */
let socket = null
let wanted = false
let failures = 0
/** @type {ReturnType<typeof setTimeout> | undefined} */
let retry

export function connect() {
  wanted = true
  failures = 0
  void open()
}

export function disconnect() {
  wanted = false
  clearTimeout(retry)
  waiting = []
  const old = socket
  socket = null
  old?.close()
  link.value = 'off'
}

/** Sends a frame; false where there is no connection. */
export function send(/** @type {string} */ type, /** @type {unknown} */ payload = {}) {
  if (link.peek() !== 'on' || !socket) return false
  socket.send(JSON.stringify({type, payload}))
  return true
}

async function open() {
  if (!wanted || socket) return
  clearTimeout(retry)
  link.value = 'connecting'
  const now = session.peek()
  if (!now) return
  const soon = now.expires_at < Date.now() + 60_000
  try {
    // The browser does not say why a handshake failed, so a request asks.
    if (soon) await renew(now.token)
    else if (failures > 0) await call('GET', '/api/users/me/privacy') // which is refused, too, where two-factor login has to be set up
  } catch {
    return setUpFirst.peek() ? disconnect() : later()
  }
  if (!wanted || socket) return
  const url = new URL('/ws', location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  url.searchParams.set('token', session.peek()?.token ?? '')
  const mine = socket = new WebSocket(url)
  mine.onmessage = e => take(mine, JSON.parse(e.data))
  mine.onclose = e => {
    if (socket !== mine) return
    socket = null
    if (e.code === 4401) return leave(ended(e.reason))
    later()
  }
}

/** What to say of a session that is over. The server says why, unless there is no more to it. */
function ended(/** @type {string} */ reason) {
  return reason && reason !== 'session ended' ? `You were logged out: ${reason}. Log in again to go on.` : 'You were logged out. Log in again to go on.'
}

/** Tries again after a wait that grows from try to try, and differs between clients. */
function later() {
  if (!wanted) return
  link.value = 'connecting'
  const wait = Math.min(15_000, 300 * 2 ** failures++) * (0.5 + Math.random() / 2)
  clearTimeout(retry)
  retry = setTimeout(open, wait)
}

/** @type {{type: string, payload: any}[]} */
let waiting = []

/** @param {WebSocket} from; @param {{type: string, payload: any}} frame */
function take(from, frame) {
  if (from !== socket) return
  heard = Date.now()
  waiting.push(frame)
  // A page that nobody sees has no animation frames.
  if (document.hidden) deliver()
  else if (waiting.length === 1) requestAnimationFrame(deliver)
}

document.addEventListener('visibilitychange', () => deliver())

function deliver() {
  const frames = waiting
  waiting = []
  batch(() => {
    for (const {type, payload} of frames) {
      if (type === 'connect') {
        failures = 0
        link.value = 'on'
      }
      for (const handle of handlers.get(type) ?? []) {
        try {
          handle(payload)
        } catch (e) {
          reportError(e) // the frames after it are not lost
        }
      }
    }
  })
}

// A network that is gone closes nothing: a server that does not answer a ping is away.
const SILENCE = 20_000
const ANSWER = 8_000
let heard = 0
setInterval(() => {
  if (!socket || link.peek() !== 'on') return
  const silent = Date.now() - heard
  if (silent > SILENCE + ANSWER) drop()
  else if (silent > SILENCE) send('ping')
}, ANSWER / 2)

function drop() {
  const old = socket
  socket = null
  old?.close()
  later()
}

addEventListener('offline', () => { if (socket) drop() })
addEventListener('online', () => {
  failures = 0
  if (wanted) void open()
})
