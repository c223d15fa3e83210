// What the staff tells me. The server tells each notice once, so those that are
// not closed outlive a reload of the page here.
import {signal} from '../lib.js'
import {on} from './socket.js'

/** @typedef {import('../types.d.ts').StaffNotice} StaffNotice */

const KEY = 'onemeter.notices'

/** Notices that are shown, and ids of closed ones that are kept, at most. */
const KEPT = 100

/** Those that I have not closed, the oldest first. @type {import('../types.d.ts').Signal<StaffNotice[]>} */
export const staffNotices = signal([])

/** Ids of those that I have closed: a server that lost its note of it tells me again. @type {number[]} */
let closed = []

function set(/** @type {StaffNotice[]} */ open) {
  staffNotices.value = open
  sessionStorage.setItem(KEY, JSON.stringify({open, closed}))
}

export function closeStaffNotice(/** @type {number} */ id) {
  closed = [...closed, id].slice(-KEPT)
  set(staffNotices.peek().filter(n => n.id !== id))
}

/** Takes up what an earlier page left open. */
export function restoreStaffNotices() {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
  if (!kept) return
  closed = kept.closed
  staffNotices.value = kept.open
}

/** Ends with the session. */
export function forgetStaffNotices() {
  closed = []
  staffNotices.value = []
}

on('notice', (/** @type {StaffNotice} */ n) => {
  const open = staffNotices.peek()
  if (closed.includes(n.id) || open.some(o => o.id === n.id)) return
  set([...open, n].sort((a, b) => a.id - b.id).slice(-KEPT))
})
