// Who is logged in. The login is kept for this tab alone, and ends with it.
import {signal} from '../lib.js'

/** @typedef {import('../types.d.ts').Session} Session */
/** @typedef {import('../types.d.ts').Role} Role */

const KEY = 'onemeter.admin'

/** @type {Role[]} from below; each may do what those before it may */
const ROLES = ['user', 'moderator', 'admin', 'super_admin']

/** @returns {Session | null} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
  } catch {
    return null
  }
}

/** @type {import('../types.d.ts').Signal<Session | null>} */
export const session = signal(stored())

/** Why the last session ended, for the login page; empty when the user ended it. */
export const farewell = signal('')

/** Whether the user's role is at least another one. What it allows is for the server to decide; this hides what it would refuse. */
export const atLeast = (/** @type {Role} */ role) => ROLES.indexOf(session.value?.user.role ?? 'user') >= ROLES.indexOf(role)

/** @param {{token: string, refresh_token: string, expires_in: number, user: Session['user']}} answer of a login or a refresh */
export function enter({token, refresh_token, expires_in, user}) {
  const next = {token, refresh_token, expires_at: Date.now() + expires_in * 1000, user}
  sessionStorage.setItem(KEY, JSON.stringify(next))
  farewell.value = ''
  session.value = next
}

export function leave(why = '') {
  sessionStorage.removeItem(KEY)
  farewell.value = why
  session.value = null
}
