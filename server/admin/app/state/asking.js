// The question that stands before an act. Every act of the console asks first.
import {signal} from '../lib.js'

/** @typedef {import('../types.d.ts').Question} Question */

/** @type {import('../types.d.ts').Signal<Question | null>} */
export const question = signal(null)

/** Asks, and has the act done if the answer is yes. */
export function ask(/** @type {Question} */ q) {
  question.value = q
}
