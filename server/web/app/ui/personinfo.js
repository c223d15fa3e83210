import {html} from '../lib.js'
import {tellError} from '../state/notice.js'
import {nameOf, person} from '../state/people.js'
import {block, blocked, unblock} from '../state/relations.js'
import {Modal} from './modal.js'

/** A user's profile, with block and unblock. @param {{id: number, close: () => void}} props */
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
        ? 'Blocked. You cannot write to or call each other. You both stay in your common groups.'
        : 'People you block cannot write to you, call you, add you to groups or see whether you are online.'}</p>
      <div class="actions">
        ${off
          ? html`<button type="button" onClick=${() => unblock(id).catch(tellError)}>Unblock</button>`
          : html`<button type="button" class="danger" onClick=${() => block(id).catch(tellError)}>Block</button>`}
      </div>
    <//>`
}
