// All conversations, and what frames do to them.
import {computed, signal} from '../lib.js'
import {call} from './api.js'
import {Conversation, keyOf, PAGE, targetOf} from './conversation.js'
import {tell, tellError} from './notice.js'
import {confirm} from './outbox.js'
import {learn, nameOf, person} from './people.js'
import {go, route} from './route.js'
import {me} from './session.js'
import {on, send} from './socket.js'

/** @typedef {import('../types.d.ts').Message} Message */
/** @typedef {import('../types.d.ts').Target} Target */
/** @typedef {import('../types.d.ts').Dialog} Dialog */

/** @type {import('../types.d.ts').Signal<Map<string, Conversation>>} */
const all = signal(new Map())

/** Whether the list has come from the server, at least once. */
export const listed = signal(false)
/** Why it failed; empty: it is here or being loaded. */
export const listFailure = signal('')

/** Those with messages, the newest first. */
export const conversations = computed(() =>
  [...all.value.values()]
    .filter(c => c.activeAt.value > 0)
    .sort((a, b) => b.activeAt.value - a.activeAt.value))

export const totalUnread = computed(() => conversations.value.reduce((n, c) => n + c.unread.value, 0))

/** Finds or makes the conversation with a target. */
export function conversation(/** @type {Target} */ target) {
  const key = keyOf(target)
  let c = all.peek().get(key)
  if (!c) {
    c = new Conversation(target)
    all.value = new Map(all.peek()).set(key, c)
  }
  return c
}

/** @param {string} key u7 or c7 */
export function byKey(key) {
  const id = Number(key.slice(1))
  return conversation(key.startsWith('c') ? {chat_id: id} : {receiver_id: id})
}

/** What a conversation is called. Reads signals: whoever shows it shows changes, too. */
export function titleOf(/** @type {Conversation} */ c) {
  if (!c.peerId) return c.title.value || 'Group'
  if (c.peerId === me.value.id) return 'Note to self'
  return nameOf(person(c.peerId).value)
}

/** Ends with the session. */
export function forgetConversations() {
  all.value = new Map()
  listed.value = false
}

/** Takes a conversation out of the list: I have left it. */
export function drop(/** @type {Conversation} */ c) {
  const rest = new Map(all.peek())
  rest.delete(c.key)
  all.value = rest
}

const DIALOGS = 200

/** Loads the list of conversations, all of its pages. */
export async function loadDialogs() {
  try {
    for (let offset = 0; ; offset += DIALOGS) {
      /** @type {Dialog[]} */
      const dialogs = await call('GET', `/api/messages/dialogs?limit=${DIALOGS}&offset=${offset}`)
      dialogs.forEach(takeDialog)
      if (dialogs.length < DIALOGS) break
    }
    listed.value = true
    listFailure.value = ''
  } catch (e) {
    listFailure.value = /** @type {Error} */ (e).message
  }
}

/** More than so many missed messages are loaded when they are looked at, not before. */
const MISSED = 1000

function takeDialog(/** @type {Dialog} */ d) {
  const target = d.type === 'group' ? {chat_id: d.chat_id ?? d.id} : {receiver_id: d.receiver_id}
  const c = conversation(target)
  learn(d.peer)
  c.title.value = d.title
  c.members.value = d.member_count ?? c.members.peek()
  const known = c.last.peek()
  if (d.last_message) {
    learn(d.last_message.sender)
    if (d.last_message.seq >= known) c.note(d.last_message)
  }
  c.activeAt.value ||= Date.parse(d.created_at)
  if (d.last_seq >= known) c.unread.value = d.unread_count
  if (known === 0 || d.last_seq - c.have > MISSED) c.skipTo(d.last_seq)
  else if (d.last_seq > c.have) sync(c)
}

/** Asks for what comes after the last message that nothing is missing before. */
function sync(/** @type {Conversation} */ c) {
  send('sync', {...c.target, after_seq: c.have, limit: 200})
}

/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const gaps = new Map()

/** Syncs if a gap is still there in a moment: what is missing may be on its way. */
function mindGap(/** @type {Conversation} */ c) {
  if (c.have >= c.last.peek() || gaps.has(c.key)) return
  gaps.set(c.key, setTimeout(() => {
    gaps.delete(c.key)
    if (c.have >= c.last.peek()) return
    sync(c)
    relist() // counts what is unread
  }, 300))
}

/** Loads who is in a group. @param {Conversation} c */
export async function loadMembers(c) {
  /** @type {import('../types.d.ts').Member[]} */
  const list = await call('GET', `/api/chats/${c.target.chat_id}/members`)
  list.forEach(m => learn(m.user))
  c.members.value = list.length
  c.roster.value = list
}

/** @type {Partial<Record<import('../types.d.ts').ChatUpdate['change'], Partial<import('../types.d.ts').Member>>>} */
const BECOMES = {promoted: {role: 'admin'}, demoted: {role: 'member'}, owner: {role: 'owner'}, muted: {muted: true}, unmuted: {muted: false}}

/** Changes by which a user is no longer a member. @type {Partial<Record<import('../types.d.ts').ChatUpdate['change'], string>>} */
const OUT = {removed: 'You were removed from', banned: 'You were banned from', left: 'You have left', deleted: 'Somebody deleted the group'}

/** Applies a change of a group. */
function takeNews(/** @type {import('../types.d.ts').ChatUpdate} */ u) {
  const known = all.peek().get(keyOf({chat_id: u.chat_id}))
  if (u.change in OUT && (u.change === 'deleted' || u.user_id === me.peek().id)) {
    if (!known) return
    if (u.by !== me.peek().id) tell(`${OUT[u.change]} “${known.title.peek()}”.`)
    drop(known)
    if (route.peek() === known.key) go('')
    return
  }
  const c = known ?? conversation({chat_id: u.chat_id})
  c.title.value = u.chat?.title ?? u.title ?? c.title.peek()
  c.members.value = u.chat?.member_count ?? c.members.peek()
  if (u.change === 'created' || u.user_id === me.peek().id && u.change === 'added') relist()
  const change = BECOMES[u.change]
  if (change) c.roster.value = c.roster.peek().map(m => m.user_id === u.user_id ? {...m, ...change} : m)
  if (u.change in OUT) {
    c.members.value = Math.max(0, c.members.peek() - 1)
    c.roster.value = c.roster.peek().filter(m => m.user_id !== u.user_id)
  }
  if (u.change === 'added' && c.roster.peek().length > 0) loadMembers(c).catch(tellError) // for the name
}

on('chat.update', takeNews)

/** @type {ReturnType<typeof setTimeout> | undefined} */
let relisting

/** Loads the list again soon, for changes without frames. */
function relist() {
  clearTimeout(relisting)
  relisting = setTimeout(loadDialogs, 300)
}

on('connect', () => {
  for (const c of all.peek().values()) c.doubt()
  void loadDialogs()
})

on('sync', (/** @type {Target & {messages: Message[], has_more: boolean}} */ answer) => {
  const c = conversation(answer)
  for (const m of answer.messages) {
    confirm(c, m)
    c.put(m)
  }
  if (answer.has_more && c.have < c.last.peek()) sync(c)
})

on('message.new', (/** @type {{message: Message, chat: import('../types.d.ts').Dialog, sender: any}} */ {message, chat, sender}) => {
  const c = conversation(targetOf(message))
  learn(sender)
  if (c.activeAt.peek() === 0) { // the first that we hear of it: the list knows more
    if (c.last.peek() === 0) c.have = message.seq - 1
    relist()
  }
  if (message.chat_id) {
    c.title.value = chat.title
    c.members.value = chat.member_count ?? c.members.peek()
  }
  const twice = c.get(message.seq)
  c.put({...message, sender})
  if (message.sender_id === me.peek().id) confirm(c, message)
  else if (!twice && message.seq > c.toldRead) c.unread.value++
  c.typing.value = c.typing.peek().filter(id => id !== message.sender_id)
  mindGap(c)
})

on('message.edit', (/** @type {{message: Message}} */ {message}) => {
  conversation(targetOf(message)).change(message.seq, message)
})

/** @typedef {Pick<Message, 'seq' | 'chat_id' | 'sender_id' | 'receiver_id'>} Place of a message */

on('message.recall', (/** @type {Place} */ gone) => {
  conversation(targetOf(gone)).change(gone.seq, {is_recalled: true, content: '', file_id: 0})
})

on('message.delete', (/** @type {Place & {for?: string}} */ gone) => {
  conversation(targetOf(gone)).change(gone.seq, {is_deleted: true, is_hidden: gone.for === 'me', content: '', file_id: 0})
})

on('dialog.delete', (/** @type {Target & {up_to_seq: number}} */ {chat_id, receiver_id, up_to_seq}) => {
  const c = conversation(chat_id ? {chat_id} : {receiver_id})
  if (up_to_seq >= c.last.peek()) drop(c)
  else c.doubt()
})

on('message.delivered', (/** @type {{sender_id: number, receiver_id: number, seq: number}} */ {sender_id, receiver_id, seq}) => {
  if (sender_id === me.peek().id) conversation({receiver_id}).deliveredTo(seq)
})

on('file.delete', (/** @type {{file_id: number}} */ {file_id}) => fileGone(file_id))

/** A file was deleted: messages that name it show that. */
export function fileGone(/** @type {number} */ id) {
  for (const c of all.peek().values()) {
    for (const m of [...c.loaded()]) if (m.file_id === id) c.change(m.seq, {file_gone: true})
  }
}

on('message.read', (/** @type {Place & {read_by: number}} */ mark) => {
  const c = conversation(targetOf(mark))
  if (mark.read_by !== me.peek().id) return c.readTo(mark.seq)
  c.toldRead = Math.max(c.toldRead, mark.seq)
  if (mark.seq >= c.lastTheirs) c.unread.value = 0
  else relist() // on another device, and not all of it
})

/** How long a typing event counts without an end, in ms. */
const TYPING = 6000
/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const typers = new Map()

on('typing', (/** @type {{user_id: number, chat_id?: number, is_typing: boolean}} */ {user_id, chat_id, is_typing}) => {
  const c = conversation(chat_id ? {chat_id} : {receiver_id: user_id})
  const others = c.typing.peek().filter(id => id !== user_id)
  const key = `${c.key} ${user_id}`
  clearTimeout(typers.get(key))
  c.typing.value = is_typing ? [...others, user_id] : others
  if (is_typing) typers.set(key, setTimeout(() => { c.typing.value = c.typing.peek().filter(id => id !== user_id) }, TYPING))
})

on('presence', ({user_id, is_online, last_seen}) => learn({id: user_id, online: is_online, last_seen}))

/** Sends the read marks that are due. @type {ReturnType<typeof setTimeout> | undefined} */
let telling

/** Marks a conversation as read, here at once and on the server a little later. */
export function markRead(/** @type {Conversation} */ c) {
  if (c.unread.peek() > 0) c.unread.value = 0
  if (c.lastTheirs <= c.toldRead) return
  telling ??= setTimeout(() => {
    telling = undefined
    const m = c.get(c.lastTheirs)
    if (m && send('message.read', {message_id: m.id})) c.toldRead = m.seq
  }, 250)
}

/** Loads what comes before what is here, for a search further back. */
export async function loadBack(/** @type {Conversation} */ c, /** @type {number} */ pages) {
  let first = Math.ceil(c.last.peek() / PAGE)
  while (first > 0 && c.pages.has(first - 1)) first--
  for (let p = first - 1; p >= Math.max(0, first - pages); p--) await c.load(p)
}
