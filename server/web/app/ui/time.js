// Times as people write them, in their own language and zone.

const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'})
const weekday = new Intl.DateTimeFormat(undefined, {weekday: 'long'})
const date = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short'})
const longDate = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'long', year: 'numeric'})
const DAY = 24 * 3600 * 1000

const midnight = (/** @type {Date} */ d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime()

/** Whole days between a time and now. */
const daysAgo = (/** @type {Date} */ d) => Math.round((midnight(new Date()) - midnight(d)) / DAY)

export const timeOf = (/** @type {string} */ at) => clock.format(new Date(at))

export const sameDay = (/** @type {string} */ a, /** @type {string} */ b) => midnight(new Date(a)) === midnight(new Date(b))

/** A day, above its messages. */
export function dayOf(/** @type {string} */ at) {
  const d = new Date(at)
  const days = daysAgo(d)
  if (days === 0) return 'Today'
  if (days === 1) return 'Yesterday'
  return days < 7 ? weekday.format(d) : longDate.format(d)
}

/** As short as a list wants it: the time of today, a day otherwise. */
export function shortly(/** @type {number} */ at) {
  const d = new Date(at)
  const days = daysAgo(d)
  if (days === 0) return clock.format(d)
  if (days === 1) return 'Yesterday'
  return days < 7 ? weekday.format(d) : date.format(d)
}

/** Minutes and seconds of a call. */
export function duration(/** @type {number} */ ms) {
  const s = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}
