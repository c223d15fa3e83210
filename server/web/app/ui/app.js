import {html, useEffect} from '../lib.js'
import {current as call} from '../state/call.js'
import {byKey} from '../state/conversations.js'
import {go, route} from '../state/route.js'
import {session, setUpFirst} from '../state/session.js'
import {CallPanel} from './callpanel.js'
import {Chat} from './chat.js'
import {Login} from './login.js'
import {Notice} from './notice.js'
import {Sidebar} from './sidebar.js'
import {StaffNotices} from './staffnotices.js'
import {SetUpFirst} from './twofactor.js'
import {Chat as ChatIcon} from './icons.js'

/** The page: the login, or the list with the open conversation beside it. On phones one of the two. */
export function App() {
  if (!session.value) return html`<${Login} />`
  if (setUpFirst.value) return html`<${SetUpFirst} />`
  return html`<${Inside} />`
}

function Inside() {
  useEffect(() => {
    addEventListener('keydown', shortcut)
    return () => removeEventListener('keydown', shortcut)
  }, [])
  const open = route.value
  return html`
    <div class=${open ? 'page open' : 'page'}>
      <${StaffNotices} />
      <${Sidebar} />
      <main aria-label="Conversation">
        ${open ? html`<${Chat} key=${open} c=${byKey(open)} />` : html`<${Nothing} />`}
      </main>
      ${call.value && html`<${CallPanel} call=${call.value} />`}
      <${Notice} />
    </div>`
}

function Nothing() {
  return html`
    <div class="nothing">
      <${ChatIcon} />
      <h2>No conversation is open</h2>
      <p>Choose one on the left, or search for somebody by name or phone.</p>
    </div>`
}

/** Escape leaves the conversation, and Ctrl+K goes to the search. */
function shortcut(/** @type {KeyboardEvent} */ e) {
  if (e.key === 'k' && (e.ctrlKey || e.metaKey)) {
    e.preventDefault()
    document.getElementById('search')?.focus()
  } else if (e.key === 'Escape' && !e.defaultPrevented && !document.querySelector('dialog[open]')) {
    go('')
  }
}
