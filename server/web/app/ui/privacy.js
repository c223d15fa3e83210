import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {tellError} from '../state/notice.js'
import {person} from '../state/people.js'
import {blocked, unblock} from '../state/relations.js'
import {Found} from './people.js'

/** @typedef {import('../types.d.ts').Privacy} Privacy */

/** @type {[keyof Privacy, string][]} */
const QUESTIONS = [['messages', 'Who may write to you'], ['groups', 'Who may add you to groups'], ['calls', 'Who may call you']]

/** From whom the user accepts messages, groups and calls, and the blocked users. */
export function PrivacySettings() {
  const [chosen, setChosen] = useState(/** @type {Privacy | null} */ (null))
  useEffect(() => { call('GET', '/api/users/me/privacy').then(setChosen).catch(tellError) }, [])
  const choose = (/** @type {keyof Privacy} */ what, /** @type {string} */ whom) =>
    call('PUT', '/api/users/me/privacy', {[what]: whom}).then(setChosen).catch(tellError)
  return html`
    <h3>Strangers</h3>
    ${chosen && QUESTIONS.map(([what, label]) => html`
      <label key=${what} class="field"><span>${label}</span>
        <select name=${what} value=${chosen[what]} onChange=${(/** @type {any} */ e) => choose(what, e.currentTarget.value)}>
          <option value="everybody">Everybody</option>
          <option value="contacts">Friends (others send a request)</option>
        </select>
      </label>`)}
    ${blocked.value.size > 0 && html`
      <h3>Blocked</h3>
      <ul class="members">
        ${[...blocked.value].map(id => html`<li key=${id} class="row">
          <${Found} user=${person(id).value} />
          <button type="button" onClick=${() => unblock(id).catch(tellError)}>Unblock</button>
        </li>`)}
      </ul>`}`
}
