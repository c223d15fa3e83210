// What was written and is not acknowledged. It outlives the connection and a
// reload of the page, and goes out again in its order, with the same
// client_msg_id: the server stores it once.
import {upload} from './api.js'
import {keep} from './files.js'
import {named} from './people.js'
import {me} from './session.js'
import {on, send as sendFrame} from './socket.js'

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {import('../types.d.ts').Draft} Draft */
/** @typedef {import('../types.d.ts').Message} Message */
/** @typedef {import('../types.d.ts').MessageType} MessageType */
/** @typedef {import('../types.d.ts').Pending} Pending */

const KEY = 'onemeter.outbox'

/** Those that have something pending. @type {Set<Conversation>} */
const busy = new Set()

/** @type {Set<string>} client_msg_id of what is on its way over this connection */
const flying = new Set()

function newId() {
  // randomUUID is only there on https and localhost.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('')
}

/** Sends a message, now or when there is a connection. */
export function send(/** @type {Conversation} */ c, /** @type {Draft} */ draft) {
  add(c, {...draft, client_msg_id: newId(), created_at: new Date().toISOString(), state: 'waiting'})
  flush(c)
}

/** The types that browsers show as a picture, or play. @returns {MessageType} */
function typeOf(/** @type {File} */ file) {
  if (/^image\/(png|jpeg|gif|webp|avif)$/.test(file.type)) return 'image'
  const kind = file.type.split('/')[0]
  return kind === 'video' || kind === 'audio' ? kind : 'file'
}

/** Uploads a file and sends it. */
export function sendFile(/** @type {Conversation} */ c, /** @type {File} */ file) {
  /** @type {Pending} */
  const p = {
    content: '', message_type: typeOf(file), client_msg_id: newId(), created_at: new Date().toISOString(),
    state: 'uploading', file, progress: 0,
  }
  add(c, p)
  void uploadFor(c, p)
}

async function uploadFor(/** @type {Conversation} */ c, /** @type {Pending} */ p) {
  const file = /** @type {File} */ (p.file)
  try {
    const info = await upload(file, progress => change(c, p.client_msg_id, {progress}))
    keep(info, file)
    change(c, p.client_msg_id, {file_id: info.id, file: undefined, state: 'waiting'})
    flush(c)
  } catch (e) {
    change(c, p.client_msg_id, {state: 'failed', why: /** @type {Error} */ (e).message})
  }
}

/** Tries again what failed. */
export function retry(/** @type {Conversation} */ c, /** @type {Pending} */ p) {
  change(c, p.client_msg_id, {state: p.file ? 'uploading' : 'waiting', why: undefined})
  if (p.file) void uploadFor(c, p)
  else flush(c)
}

/** Gives up what failed. */
export function discard(/** @type {Conversation} */ c, /** @type {string} */ id) {
  flying.delete(id)
  set(c, c.pending.peek().filter(p => p.client_msg_id !== id))
}

function add(/** @type {Conversation} */ c, /** @type {Pending} */ p) {
  set(c, [...c.pending.peek(), p])
  c.activeAt.value = Date.now()
}

function change(/** @type {Conversation} */ c, /** @type {string} */ id, /** @type {Partial<Pending>} */ to) {
  set(c, c.pending.peek().map(p => p.client_msg_id === id ? {...p, ...to} : p))
}

function set(/** @type {Conversation} */ c, /** @type {Pending[]} */ pending) {
  c.pending.value = pending
  if (pending.length > 0) busy.add(c)
  else busy.delete(c)
  const kept = [...busy].map(b => [b.key, b.pending.peek().filter(p => p.state !== 'uploading' && !p.file)])
  sessionStorage.setItem(KEY, JSON.stringify(kept))
}

/** Takes up what an earlier page left unsent. */
export function restore(/** @type {(key: string) => Conversation} */ byKey) {
  /** @type {[string, Pending[]][]} */
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
  for (const [key, pending] of kept) if (pending.length > 0) set(byKey(key), pending)
}

function flush(/** @type {Conversation} */ c) {
  for (const p of c.pending.peek()) {
    if (p.state !== 'waiting' || flying.has(p.client_msg_id)) continue
    const {content, message_type, file_id, reply_to_id, client_msg_id} = p
    if (!sendFrame('message.send', {...c.target, content, message_type, file_id, reply_to_id, client_msg_id})) return
    flying.add(client_msg_id)
  }
}

/** Finds what an answer is about. */
function find(/** @type {string} */ id) {
  for (const c of busy) {
    const p = c.pending.peek().find(p => p.client_msg_id === id)
    if (p) return {c, p}
  }
}

/** A message of mine came back by another way than its acknowledgement. */
export function confirm(/** @type {Conversation} */ c, /** @type {Message} */ m) {
  if (m.client_msg_id && m.sender_id === me.peek().id) discard(c, m.client_msg_id)
}

on('connect', () => {
  flying.clear()
  busy.forEach(flush)
})

on('message.ack', (/** @type {{client_msg_id: string, id: number, seq: number}} */ {client_msg_id, id, seq}) => {
  const found = find(client_msg_id)
  if (!found) return
  const {c, p} = found
  discard(c, client_msg_id)
  c.put({
    ...c.target, id, seq, client_msg_id, sender_id: me.peek().id, content: p.content, message_type: p.message_type,
    file_id: p.file_id, reply_to_id: p.reply_to_id, created_at: p.created_at,
    status: 'sent', is_edited: false, is_recalled: false, is_deleted: false,
  })
})

/** Refusals that pass by themselves. */
const PASSING = ['rate_limited', 'unavailable', 'internal']

on('error', (/** @type {{error_code: string, message: string, details: string, client_msg_id?: string}} */ e) => {
  const found = e.client_msg_id && find(e.client_msg_id)
  if (!found) return
  const {c, p} = found
  flying.delete(p.client_msg_id)
  if (PASSING.includes(e.error_code)) setTimeout(() => flush(c), 1000 + Math.random() * 1000)
  else change(c, p.client_msg_id, {state: 'failed', why: named(e.details)})
})
