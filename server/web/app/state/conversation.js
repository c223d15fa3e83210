// One conversation: its messages in pages by seq, and how far each side has come.
import {signal} from '../lib.js'
import {call} from './api.js'
import {learn} from './people.js'
import {me} from './session.js'

/** @typedef {import('../types.d.ts').Message} Message */
/** @typedef {import('../types.d.ts').Target} Target */
/** @typedef {import('../types.d.ts').Pending} Pending */
/** @typedef {(Message | undefined)[]} Page by seq; undefined: not loaded */

/** Messages a page. Page p holds seq p*PAGE+1 to (p+1)*PAGE. */
export const PAGE = 50

/** Pages that are kept; the server has the others. */
const KEPT = 400

export const pageOf = (/** @type {number} */ seq) => Math.floor((seq - 1) / PAGE)

/** A target's name in addresses and maps: u7 is a user, c7 a group. */
export const keyOf = (/** @type {Target} */ to) => to.chat_id ? `c${to.chat_id}` : `u${to.receiver_id}`

/** @returns {Target} the conversation that a message belongs to, as I name it */
export function targetOf(/** @type {Pick<Message, 'chat_id' | 'sender_id' | 'receiver_id'>} */ m) {
  if (m.chat_id) return {chat_id: m.chat_id}
  return {receiver_id: m.sender_id === me.peek().id ? m.receiver_id : m.sender_id}
}

export class Conversation {
  /** @param {Target} target */
  constructor(target) {
    this.target = target
    this.key = keyOf(target)
    this.peerId = target.receiver_id ?? 0 // 0: a group
    this.title = signal('')
    this.members = signal(0)
    /** Who is in a group, once somebody wanted to know. @type {import('../types.d.ts').Signal<import('../types.d.ts').Member[]>} */
    this.roster = signal([])

    /** The seq of the newest message. */
    this.last = signal(0)
    /** Up to this seq nothing is missing that came after we knew of the conversation. */
    this.have = 0
    /** @type {Map<number, Page>} */
    this.pages = new Map()
    /** Counts changes of pages, for whoever shows them. */
    this.changed = signal(0)
    /** @type {Map<number, number>} seq of a message, by its id */
    this.seqs = new Map()
    /** @type {Set<number>} pages that are on their way */
    this.loading = new Set()
    /** @type {Set<number>} pages that may have changed while we were away */
    this.stale = new Set()
    /** @type {Set<number>} pages that the server has less of than we thought */
    this.short = new Set()
    /** Why the last page did not come; empty: it did. */
    this.failure = signal('')

    /** @type {import('../types.d.ts').Signal<Message | null>} */
    this.newest = signal(null)
    this.activeAt = signal(0) // of the newest message, in milliseconds
    this.unread = signal(0)
    this.unreadFrom = 0 // seq of the first that was unread when it was opened; 0: none
    this.lastTheirs = 0 // seq
    this.toldRead = 0 // seq up to which the server knows that I have read

    /** Up to these seq, others have got and read. */
    this.delivered = signal(0)
    this.read = signal(0)

    /** @type {import('../types.d.ts').Signal<Pending[]>} */
    this.pending = signal(/** @type {Pending[]} */ ([]))
    /** @type {import('../types.d.ts').Signal<number[]>} users who are typing */
    this.typing = signal(/** @type {number[]} */ ([]))
    /** What is written and not sent. */
    this.written = ''
    /** What the writing is about. @type {import('../types.d.ts').Signal<{edit?: Message, reply?: Message}>} */
    this.about = signal({})
  }

  /** @param {number} seq */
  get(seq) {
    return this.pages.get(pageOf(seq))?.[(seq - 1) % PAGE]
  }

  /** Takes in a message that is new, or newly loaded. */
  put(/** @type {Message} */ m) {
    const p = pageOf(m.seq)
    const page = this.pages.get(p)?.slice() ?? Array(PAGE).fill(undefined)
    page[(m.seq - 1) % PAGE] = m
    this.pages.set(p, page)
    this.seqs.set(m.id, m.seq)
    this.note(m)
    learn(m.sender)
    while (this.get(this.have + 1)) this.have++
    if (this.pages.size > KEPT) this.pages.delete(/** @type {number} */ (this.pages.keys().next().value))
    this.changed.value++
  }

  /** Learns what a message says of the conversation. */
  note(/** @type {Message} */ m) {
    if (m.seq >= this.last.peek()) {
      this.last.value = m.seq
      this.newest.value = m
      this.activeAt.value = Date.parse(m.created_at)
    }
    if (m.sender_id !== me.peek().id) this.lastTheirs = Math.max(this.lastTheirs, m.seq)
    else if (m.status === 'read') this.readTo(m.seq)
    else if (m.status === 'delivered') this.deliveredTo(m.seq)
  }

  /** Others have read up to seq. */
  readTo(/** @type {number} */ seq) {
    this.read.value = Math.max(this.read.peek(), seq)
    this.deliveredTo(seq)
  }

  /** Others have got everything up to seq. */
  deliveredTo(/** @type {number} */ seq) {
    this.delivered.value = Math.max(this.delivered.peek(), seq)
  }

  /** Changes a message, if it is here. */
  change(/** @type {number} */ seq, /** @type {Partial<Message>} */ to) {
    const m = this.get(seq)
    if (m) this.put({...m, ...to})
    else if (this.newest.peek()?.seq === seq) this.newest.value = {.../** @type {Message} */ (this.newest.peek()), ...to}
  }

  /** Tells whether all of a page's messages are here, and as they are now. */
  whole(/** @type {number} */ p) {
    const page = this.pages.get(p)
    if (!page || this.stale.has(p)) return false
    const n = Math.min(PAGE, this.last.peek() - p * PAGE)
    for (let i = 0; i < n; i++) if (!page[i]) return false
    return true
  }

  /** Tells whether to load a page that is in sight. */
  wants(/** @type {number} */ p) {
    return !this.whole(p) && !this.short.has(p) && !this.failure.peek()
  }

  /** Loads a page, unless it is here or on its way. */
  async load(/** @type {number} */ p) {
    if (this.whole(p) || this.loading.has(p)) return
    this.loading.add(p)
    const query = new URLSearchParams(Object.entries({...this.target, after_seq: p * PAGE, limit: PAGE}).map(([k, v]) => [k, String(v)]))
    try {
      /** @type {Message[]} */
      const messages = await call('GET', `/api/messages?${query}`)
      this.stale.delete(p)
      for (const m of messages) this.put(m)
      if (!this.whole(p)) this.short.add(p)
      this.failure.value = ''
    } catch (e) {
      this.failure.value = /** @type {Error} */ (e).message
    } finally {
      this.loading.delete(p)
    }
  }

  /** After we were away: what is here may have been edited, read or recalled. */
  doubt() {
    for (const p of this.pages.keys()) this.stale.add(p)
    this.short.clear()
    this.failure.value = ''
    this.changed.value++
  }

  /** Forgets the messages up to seq last, which the server has, too. */
  skipTo(/** @type {number} */ last) {
    this.pages.clear()
    this.seqs.clear()
    this.stale.clear()
    this.last.value = this.have = Math.max(last, this.last.peek())
    this.changed.value++
  }

  /** Every message that is here, the newest first. */
  * loaded() {
    for (const p of [...this.pages.keys()].sort((a, b) => b - a)) {
      const page = /** @type {Page} */ (this.pages.get(p))
      for (let i = PAGE - 1; i >= 0; i--) {
        const m = page[i]
        if (m) yield m
      }
    }
  }
}
