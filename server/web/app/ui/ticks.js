import {html} from '../lib.js'
import {Alert, Check, Checks, Clock} from './icons.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */
/** @typedef {'waiting' | 'failed' | 'sent' | 'delivered' | 'read'} State */

/** How each looks, and what screen readers say. @type {Record<State, [() => unknown, string]>} */
const LOOKS = {
  waiting: [Clock, 'Not sent yet'],
  failed: [Alert, 'Not sent'],
  sent: [Check, 'Sent'],
  delivered: [Checks, 'Delivered'],
  read: [Checks, 'Read'],
}

/** How far a message of mine has come. */
function stateOf(/** @type {number} */ seq, /** @type {number} */ delivered, /** @type {number} */ read) {
  return seq <= read ? 'read' : seq <= delivered ? 'delivered' : 'sent'
}

/** @param {{state?: State, c?: Conversation, seq?: number}} props a state, or the message that has it */
export function Ticks({state, c, seq}) {
  const s = state ?? stateOf(seq ?? 0, c?.delivered.value ?? 0, c?.read.value ?? 0)
  const [Icon, label] = LOOKS[s]
  return html`<span class=${`ticks ${s}`} role="img" aria-label=${label} title=${label}><${Icon} /></span>`
}
