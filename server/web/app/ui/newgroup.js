import {html, useState} from '../lib.js'
import {call} from '../state/api.js'
import {conversation} from '../state/conversations.js'
import {tell} from '../state/notice.js'
import {nameOf} from '../state/people.js'
import {go} from '../state/route.js'
import {me} from '../state/session.js'
import {Close} from './icons.js'
import {Modal} from './modal.js'
import {Picker} from './people.js'

/** @typedef {import('../types.d.ts').User} User */

/** Creates a group. @param {{close: () => void}} props */
export function NewGroup({close}) {
  const [members, setMembers] = useState(/** @type {User[]} */ ([]))
  const [fault, setFault] = useState('')
  const make = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const title = String(new FormData(/** @type {HTMLFormElement} */ (e.currentTarget)).get('title'))
    try {
      const group = await call('POST', '/api/chats', {title, member_ids: members.map(m => m.id)})
      const c = conversation({chat_id: group.id})
      c.title.value = group.title
      c.members.value = group.member_count
      c.activeAt.value = Date.parse(group.created_at)
      if (group.invited?.length) tell(`Request sent to ${members.filter(m => group.invited.includes(m.id)).map(nameOf).join(', ')}.`)
      close()
      go(c.key)
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
    }
  }
  return html`
    <${Modal} title="New group" close=${close}>
      <form onSubmit=${make}>
        <label class="field"><span>Title</span><input name="title" required autocomplete="off" /></label>
        <${Picker} label="Add people" without=${[me.value.id, ...members.map(m => m.id)]} choose=${(/** @type {User} */ u) => setMembers([...members, u])} />
        <ul class="chips" aria-label="Chosen">
          ${members.map(m => html`<li key=${m.id}>${nameOf(m)}
            <button type="button" aria-label=${`Remove ${nameOf(m)}`} onClick=${() => setMembers(members.filter(o => o !== m))}><${Close} /></button></li>`)}
        </ul>
        <p class="fault" role="alert">${fault}</p>
        <div class="actions">
          <button type="button" onClick=${close}>Cancel</button>
          <button class="primary">Create group</button>
        </div>
      </form>
    <//>`
}
