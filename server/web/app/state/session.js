// Who is logged in. The session is kept for this tab alone, so that two tabs can
// be two users, and that nobody else at this machine finds it later.
import {computed, signal} from '../lib.js'

/** @typedef {import('../types.d.ts').Session} Session */
/** @typedef {import('../types.d.ts').User} User */

const KEY = 'onemeter.session'

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

/** The user that is logged in. Only what is shown after login may ask. */
export const me = computed(() => /** @type {User} */ (session.value?.user))

/** Why the last session ended, for the login page; empty when the user ended it. */
export const farewell = signal('')

/** Whether the user must first set up two-factor login. */
export const setUpFirst = signal(false)

const DEVICE = 'onemeter.device'

/** The token that logs in from here without a code, if the user trusts this browser: it outlives the tab. */
export const trusted = () => localStorage.getItem(DEVICE) ?? ''

export const trust = (/** @type {string} */ token) => localStorage.setItem(DEVICE, token)

/** @param {{token: string, refresh_token: string, expires_in: number, user: User}} answer of a login or a refresh */
export function enter({token, refresh_token, expires_in, user}) {
  keep({token, refresh_token, expires_at: Date.now() + expires_in * 1000, user})
}

/** @param {Partial<User>} change of my own profile */
export function changeMe(change) {
  const now = session.peek()
  if (now) keep({...now, user: {...now.user, ...change}})
}

/** @param {Session} next */
function keep(next) {
  sessionStorage.setItem(KEY, JSON.stringify(next))
  session.value = next
}

/** Ends the session on this page, and clears everything. */
export function leave(why = '') {
  sessionStorage.clear()
  session.value = null
  setUpFirst.value = false
  farewell.value = why
}
