// How numbers, times and people are written.

/** @typedef {import('../types.d.ts').User} User */

const clock = new Intl.DateTimeFormat(undefined, {timeStyle: 'short'})
const date = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium'})
const whole = new Intl.NumberFormat()
const tenth = new Intl.NumberFormat(undefined, {maximumFractionDigits: 1})

/** Writes a time in parts that no line breaks. A dash stands where there is none (Go's zero time is the year 1). */
const written = (/** @type {Intl.DateTimeFormat[]} */ ...parts) => (/** @type {string | undefined} */ at) => {
  const d = new Date(at ?? '')
  if (Number.isNaN(d.getTime()) || d.getFullYear() < 1971) return '–'
  return parts.map((part) => part.format(d).replace(/\s/g, '\u00a0')).join(' ')
}

/** A day and a time. */
export const time = written(date, clock)

/** The day of a time. */
export const day = written(date)

export const count = (/** @type {number | null | undefined} */ n) => n === null || n === undefined ? '–' : whole.format(n)

/** A number with few digits, where some are behind the point. */
export const few = (/** @type {number} */ n) => Math.abs(n) >= 100 ? whole.format(Math.round(n)) : tenth.format(n)

export function bytes(/** @type {number} */ n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let i = 0
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++ }
  return `${few(n)} ${units[i]}`
}

/** A time that something takes, in seconds. */
export function took(/** @type {number} */ s) {
  return s < 1 ? `${few(s * 1000)} ms` : `${few(s)} s`
}

/** A time that passed, in seconds. */
export function span(/** @type {number} */ s) {
  const days = Math.floor(s / 86400), hours = Math.floor(s / 3600) % 24, minutes = Math.floor(s / 60) % 60
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(s) % 60} s`
}

/** What a user is called; an account that is gone has no name. */
export const nameOf = (/** @type {Partial<User> | undefined | null} */ u) => u?.nickname || u?.username || (u?.id ? `User ${u.id}` : 'Nobody')

export const plural = (/** @type {number} */ n, /** @type {string} */ one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`
