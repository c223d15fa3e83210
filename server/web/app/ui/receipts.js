import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {tellError} from '../state/notice.js'
import {person} from '../state/people.js'
import {Modal} from './modal.js'
import {Found} from './people.js'
import {shortly} from './time.js'

/** @typedef {import('../types.d.ts').Receipts} All */

/** Who has read a message of a group, and to whom it was delivered. @param {{m: import('../types.d.ts').Message, close: () => void}} props */
export function Receipts({m, close}) {
  const [all, setAll] = useState(/** @type {All | null} */ (null))
  useEffect(() => { call('GET', `/api/messages/${m.id}/receipts`).then(setAll, tellError) }, [m.id])
  const row = (/** @type {number} */ id, /** @type {string | undefined} */ at) =>
    html`<li key=${id} class="row"><${Found} user=${person(id).value} note=${at ? shortly(Date.parse(at)) : ''} /></li>`
  const got = all?.delivered_to.filter(d => !all.read_by.some(r => r.user_id === d.user_id)) ?? []
  return html`
    <${Modal} title="Who has read it" close=${close}>
      <ul class="members">${all?.read_by.map(r => row(r.user_id, r.read_at))}</ul>
      ${all && all.read_by.length === 0 && html`<p class="quiet" role="status">Nobody yet.</p>`}
      ${got.length > 0 && html`<h3>Delivered to</h3><ul class="members">${got.map(d => row(d.user_id, d.delivered_at))}</ul>`}
    <//>`
}
