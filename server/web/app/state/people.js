// Users by id, from all responses and frames.
import {signal} from '../lib.js'

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

/** Updates a user. Fields that are left out stay. */
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

/** Replaces "user 7" in a server's text by the name of that user, if it is known. */
export const named = (/** @type {string} */ text) => text.replace(/\buser (\d+)\b/gi, (all, id) => {
  const user = known.get(Number(id))?.peek()
  return user?.nickname || user?.username ? nameOf(user) : all
})

export function forgetPeople() {
  known.clear()
}
