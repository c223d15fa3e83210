import {html} from '../lib.js'
import {tellError} from '../state/notice.js'
import {nameOf, person} from '../state/people.js'
import {block, blocked, unblock} from '../state/relations.js'
import {Modal} from './modal.js'

/** Who somebody is, and what I may do about him. @param {{id: number, close: () => void}} props */
export function PersonInfo({id, close}) {
  const user = person(id).value
  const off = blocked.value.has(id)
  return html`
    <${Modal} title=${nameOf(user)} close=${close}>
      <dl>
        <dt>Username</dt><dd>${user.username || 'None'}</dd>
        ${user.phone && html`<dt>Phone</dt><dd>${user.phone}</dd>`}
      </dl>
      <p class="quiet">${off
        ? 'Blocked: neither of you writes to or calls the other. Groups that you both are in go on.'
        : 'Whom you block cannot write to you, call you or add you to groups, and does not see whether you are online.'}</p>
      <div class="actions">
        ${off
          ? html`<button type="button" onClick=${() => unblock(id).catch(tellError)}>Unblock</button>`
          : html`<button type="button" class="danger" onClick=${() => block(id).catch(tellError)}>Block</button>`}
      </div>
    <//>`
}
