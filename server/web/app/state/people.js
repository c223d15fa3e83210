// Users, by id: what any answer or frame has told of them.
import {signal} from '../lib.js'
import {on} from './socket.js'

/** @typedef {import('../types.d.ts').User} User */
/** @typedef {import('../types.d.ts').Signal<User>} UserSignal */

/** @type {Map<number, UserSignal>} */
const known = new Map()

/** @param {number} id @returns {UserSignal} */
export function person(id) {
  let p = known.get(id)
  if (!p) known.set(id, p = signal({id}))
  return p
}

/** Takes over what is told of a user; what is left out stays. */
export function learn(/** @type {User | undefined} */ user) {
  if (!user?.id) return
  const p = person(user.id)
  const before = new Map(Object.entries(p.peek()))
  if (Object.entries(user).some(([field, value]) => before.get(field) !== value)) p.value = {...p.peek(), ...user}
}

/** What to call a user. */
export function nameOf(/** @type {User} */ user) {
  if (user.deleted) return 'Deleted account'
  return user.nickname || user.username || user.phone || `User ${user.id}`
}

export function forgetPeople() {
  known.clear()
}

on('presence', ({user_id, is_online, last_seen}) => learn({id: user_id, online: is_online, last_seen}))
