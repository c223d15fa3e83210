import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {drop, loadMembers} from '../state/conversations.js'
import {tell, tellError} from '../state/notice.js'
import {nameOf, person} from '../state/people.js'
import {go} from '../state/route.js'
import {me} from '../state/session.js'
import {Modal} from './modal.js'
import {Found, Picker} from './people.js'

/** @typedef {import('../types.d.ts').Member} Member */
/** @typedef {import('../types.d.ts').User} User */
/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** The names of roles in the list. */
const ROLES = {owner: 'Owner', admin: 'Admin', member: ''}

/** The members of a group, and what the user may change. @param {{c: Conversation, close: () => void}} props */
export function GroupInfo({c, close}) {
  const members = c.roster.value
  const chat = `/api/chats/${c.target.chat_id}`
  useEffect(() => { loadMembers(c).catch(tellError) }, [])
  const mine = members.find(m => m.user_id === me.value.id)
  const manages = mine && mine.role !== 'member'
  const owns = mine?.role === 'owner'
  const away = () => { close(); go(''); drop(c) }
  const leave = () => call('DELETE', `${chat}/members/${me.peek().id}`).then(away).catch(tellError)
  const remove = () => {
    if (confirm(`Delete “${c.title.peek()}” and all its messages for everybody?`)) call('DELETE', chat).then(away).catch(tellError)
  }
  const add = (/** @type {User} */ u) => call('POST', `${chat}/members`, {user_id: u.id})
    .then(m => m.invited ? tell(`${nameOf(u)} gets a request first.`) : loadMembers(c)).catch(tellError)
  return html`
    <${Modal} title=${c.title.value} close=${close}>
      ${manages && html`<${Rename} c=${c} path=${chat} />`}
      ${manages && html`<${Picker} label="Add a member" without=${members.map(m => m.user_id)} choose=${add} />`}
      <h3>${members.length === 1 ? '1 member' : `${members.length} members`}</h3>
      <ul class="members">
        ${members.map(m => html`<${Row} key=${m.user_id} c=${c} m=${m} mine=${mine} path=${`${chat}/members/${m.user_id}`} />`)}
      </ul>
      <div class="actions">
        ${owns && html`<button type="button" class="danger" onClick=${remove}>Delete group</button>`}
        <button type="button" class="danger" onClick=${leave}>Leave group</button>
      </div>
    <//>`
}

/** Renames the group. @param {{c: Conversation, path: string}} props */
function Rename({c, path}) {
  const [title, setTitle] = useState('')
  const was = c.title.value
  useEffect(() => setTitle(was), [was])
  const save = (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    call('PUT', path, {title}).then(g => { c.title.value = g.title }).catch(tellError)
  }
  return html`<form onSubmit=${save}>
    <label class="field"><span>Title</span>
      <input name="title" required autocomplete="off" value=${title} onInput=${(/** @type {any} */ e) => setTitle(e.currentTarget.value)} /></label>
    ${title.trim() !== was && html`<div class="actions"><button class="primary" disabled=${!title.trim()}>Rename</button></div>`}
  </form>`
}

/** A member, and what the user may do to them. @param {{c: Conversation, m: Member, mine?: Member, path: string}} props */
function Row({c, m, mine, path}) {
  const user = {...m.user, ...person(m.user_id).value}
  const note = [m === mine && 'You', ROLES[m.role], m.muted && 'Muted'].filter(Boolean).join(', ')
  const owns = mine?.role === 'owner'
  const may = m !== mine && m.role !== 'owner' && (owns || mine?.role === 'admin' && m.role === 'member')
  const button = (/** @type {string} */ label, /** @type {() => Promise<unknown>} */ act) => html`
    <button type="button" aria-label=${`${label}: ${nameOf(user)}`} onClick=${() => act().then(() => loadMembers(c)).catch(tellError)}>${label}</button>`
  const post = (/** @type {string} */ what) => () => call('POST', `${path}/${what}`)
  return html`<li>
    <div class="row"><${Found} user=${user} note=${note || undefined} /></div>
    ${may && html`<div class="acts">
      ${owns && (m.role === 'admin' ? button('Remove as admin', post('demote')) : button('Make admin', post('promote')))}
      ${m.muted ? button('Unmute', post('unmute')) : button('Mute', post('mute'))}
      ${button('Ban', post('ban'))}
      ${button('Remove', () => call('DELETE', path))}
    </div>`}
  </li>`
}
