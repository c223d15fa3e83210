import {html, useState} from '../lib.js'
import {tellError} from '../state/notice.js'
import {nameOf, person} from '../state/people.js'
import {answer, block, requests} from '../state/relations.js'
import {Modal} from './modal.js'
import {Found} from './people.js'
import {summary} from './summary.js'

/** @typedef {import('../types.d.ts').Request} Request */

/** What a request is about. */
function wish(/** @type {Request} */ r) {
  if (r.kind === 'group') return `Invites you to “${r.chat?.title ?? ''}”`
  if (r.kind === 'call') return 'Called you'
  return r.message ? summary(r.message) : 'Wants to write to you'
}

/** The pending requests. @param {{close: () => void}} props */
export function Requests({close}) {
  const [busy, setBusy] = useState(0)
  const say = (/** @type {Request} */ r, /** @type {() => Promise<unknown>} */ what) => {
    setBusy(r.id)
    what().catch(tellError).finally(() => setBusy(0))
  }
  return html`
    <${Modal} title="Requests" close=${close}>
      ${requests.value.length === 0 && html`<p class="quiet">No requests.</p>`}
      <ul class="members">
        ${requests.value.map(r => {
          const user = {...person(r.from_id).value, ...r.from}
          const button = (/** @type {string} */ label, /** @type {() => Promise<unknown>} */ what, kind = '') => html`
            <button type="button" class=${kind} disabled=${busy === r.id} aria-label=${`${label}: ${nameOf(user)}`} onClick=${() => say(r, what)}>${label}</button>`
          return html`<li key=${r.id}>
            <div class="row"><${Found} user=${user} note=${wish(r)} /></div>
            <div class="acts">
              ${button('Accept', () => answer(r, 'accept'), 'primary')}
              ${button('Decline', () => answer(r, 'decline'))}
              ${button('Block', () => block(r.from_id), 'danger')}
            </div>
          </li>`
        })}
      </ul>
    <//>`
}
