import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {drop, loadMembers} from '../state/conversations.js'
import {tellError} from '../state/notice.js'
import {go} from '../state/route.js'
import {me} from '../state/session.js'
import {Modal} from './modal.js'
import {Found, Picker} from './people.js'

/** @typedef {import('../types.d.ts').Member} Member */

/** What the list says of a role. */
const ROLES = {owner: 'Owner', admin: 'Admin', member: ''}

/** Who is in a group, and what I may do about it. @param {{c: import('../state/conversation.js').Conversation, close: () => void}} props */
export function GroupInfo({c, close}) {
  const [members, setMembers] = useState(/** @type {Member[]} */ ([]))
  const path = `/api/chats/${c.target.chat_id}/members`
  const load = () => loadMembers(c).then(setMembers)
  useEffect(() => { load().catch(tellError) }, [])
  const change = (/** @type {Promise<unknown>} */ done) => done.then(load).catch(tellError)
  const leave = () => call('DELETE', `${path}/${me.peek().id}`).then(() => { close(); go(''); drop(c) }).catch(tellError)
  const mine = members.find(m => m.user_id === me.value.id)
  const manages = mine && mine.role !== 'member'
  const mayRemove = (/** @type {Member} */ m) => manages && m !== mine && m.role !== 'owner' && (m.role === 'member' || mine.role === 'owner')
  return html`
    <${Modal} title=${c.title.value} close=${close}>
      ${manages && html`<${Picker} label="Add a member" without=${members.map(m => m.user_id)}
        choose=${(/** @type {import('../types.d.ts').User} */ u) => change(call('POST', path, {user_id: u.id}))} />`}
      <h3>${members.length === 1 ? '1 member' : `${members.length} members`}</h3>
      <ul class="members">
        ${members.map(m => html`<li key=${m.user_id} class="row">
          <${Found} user=${m.user ?? {id: m.user_id}} note=${m === mine ? ['You', ROLES[m.role]].filter(Boolean).join(', ') : ROLES[m.role] || undefined} />
          ${mayRemove(m) && html`<button type="button" onClick=${() => change(call('DELETE', `${path}/${m.user_id}`))}>Remove</button>`}
        </li>`)}
      </ul>
      <div class="actions"><button type="button" class="danger" onClick=${leave}>Leave the group</button></div>
    <//>`
}
