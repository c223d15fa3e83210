import {html} from '../lib.js'
import {closeStaffNotice, staffNotices} from '../state/staffnotices.js'
import {Alert, Close} from './icons.js'
import {Linked} from './linked.js'
import {shortly} from './time.js'

/** @typedef {import('../types.d.ts').StaffNotice} StaffNotice */

/** The staff's notices, at the top until the user closes them. Screen readers announce new ones. */
export function StaffNotices() {
  return html`
    <div class="staffnotices" role="status" aria-atomic="false" aria-relevant="additions">
      ${staffNotices.value.map(n => html`<${Row} key=${n.id} n=${n} />`)}
    </div>`
}

/** @param {{n: StaffNotice}} props */
function Row({n}) {
  const warning = n.kind === 'warning'
  return html`
    <div class=${warning ? 'staffnotice warning' : 'staffnotice'} data-id=${n.id}>
      <${Alert} />
      <div class="what">
        <p><b>${warning ? 'Warning' : 'Announcement'}</b> <time dateTime=${n.created_at}>${shortly(Date.parse(n.created_at))}</time></p>
        <p class="said"><${Linked} text=${n.message} /></p>
      </div>
      <button type="button" class="round small" aria-label="Close the notice" title="Close the notice" onClick=${() => closeStaffNotice(n.id)}><${Close} /></button>
    </div>`
}
