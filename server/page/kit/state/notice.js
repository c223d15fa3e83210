// One line at the foot of the page, for what went wrong or was done.
import {signal} from '../lib.js'

export const notice = signal('')

/** @type {ReturnType<typeof setTimeout> | undefined} */
let ending

/** Tells something, for long enough to read it. */
export function tell(/** @type {string} */ text) {
  clearTimeout(ending)
  notice.value = text
  ending = setTimeout(() => { notice.value = '' }, 6000)
}

/** Tells what went wrong. */
export const tellError = (/** @type {unknown} */ e) => tell(e instanceof Error ? e.message : String(e))
