import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {tell, tellError} from '../state/notice.js'
import {leave} from '../state/session.js'

/** @typedef {import('../types.d.ts').SessionInfo} SessionInfo */

const when = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'})

/** The user's sessions. */
export function Sessions() {
  const [sessions, setSessions] = useState(/** @type {SessionInfo[]} */ ([]))
  const load = () => call('GET', '/api/users/me/sessions').then(setSessions)
  useEffect(() => { load().catch(tellError) }, [])
  const end = (/** @type {SessionInfo} */ s) => call('DELETE', `/api/users/me/sessions/${s.id}`).then(() => s.current ? leave() : load()).catch(tellError)
  const endOthers = () => call('DELETE', '/api/users/me/sessions').then(() => { tell('All other devices are logged out.'); return load() }).catch(tellError)
  return html`
    <ul class="members">
      ${sessions.map(s => html`<li key=${s.id} class="row">
        <span class="what">
          <span class="name">${s.device || 'Unknown device'}</span>
          <span class="preview">${s.current ? 'This device' : `${s.ip}, ${when.format(new Date(s.last_used))}`}</span>
        </span>
        <button type="button" onClick=${() => end(s)} aria-label=${`Log out ${s.device}`}>Log out</button>
      </li>`)}
    </ul>
    ${sessions.length > 1 && html`<div class="actions"><button type="button" onClick=${endOthers}>Log out all other devices</button></div>`}`
}
