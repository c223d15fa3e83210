import {html, useEffect, useState} from '../lib.js'
import {logOut} from '../state/api.js'
import {pending} from '../state/pending.js'
import {hash, route} from '../state/route.js'
import {atLeast, session} from '../state/session.js'
import {Alerts} from './alerts.js'
import {Asking} from './asking.js'
import {Away} from './away.js'
import {Chats} from './chats.js'
import {Dashboard} from './dashboard.js'
import {nameOf} from './format.js'
import {Mark} from './icons.js'
import {Login} from './login.js'
import {Logs} from './logs.js'
import {Messages} from './messages.js'
import {Notice} from './notice.js'
import {Online} from './online.js'
import {Reports} from './reports.js'
import {Security} from './security.js'
import {System} from './system.js'
import {User} from './user.js'
import {Users} from './users.js'

/** @typedef {import('../types.d.ts').Role} Role */

/** The pages, and the role that each is for. @type {{name: string, title: string, role: Role, view: any}[]} */
const PAGES = [
  {name: 'dashboard', title: 'Dashboard', role: 'admin', view: Dashboard},
  {name: 'users', title: 'Users', role: 'admin', view: Users},
  {name: 'online', title: 'Online', role: 'admin', view: Online},
  {name: 'chats', title: 'Chats', role: 'admin', view: Chats},
  {name: 'messages', title: 'Messages', role: 'moderator', view: Messages},
  {name: 'reports', title: 'Reports', role: 'moderator', view: Reports},
  {name: 'logs', title: 'Audit log', role: 'admin', view: Logs},
  {name: 'alerts', title: 'Alerts', role: 'admin', view: Alerts},
  {name: 'system', title: 'System', role: 'admin', view: System},
  {name: 'security', title: 'Security', role: 'moderator', view: Security},
]

/** The login, or the page that the address names. */
export function App() {
  if (!session.value) return html`<${Login} />`
  return html`<${Inside} />`
}

function Inside() {
  const [open, setOpen] = useState(false) // the navigation, on a phone
  const {page, id} = route.value
  const mine = PAGES.filter(p => atLeast(p.role))
  const shown = mine.find(p => p.name === page) ?? mine[0]
  useEffect(() => {
    document.title = `${shown.title} – Onemeter admin`
    setOpen(false)
    document.querySelector('main')?.scrollTo(0, 0)
  }, [shown.name, id])
  const view = shown.name === 'users' && id ? html`<${User} key=${id} id=${id} />` : html`<${shown.view} key=${shown.name} />`
  const skip = (/** @type {MouseEvent} */ e) => { // the address names a page, so no fragment can be followed
    e.preventDefault()
    document.querySelector('main')?.focus()
  }
  return html`
    <div class=${open ? 'console open' : 'console'}>
      <a class="skip" href="#" onClick=${skip}>Skip to the page</a>
      <header class="top">
        <button type="button" class="menu-button" aria-expanded=${open} aria-controls="pages" onClick=${() => setOpen(!open)}>Menu</button>
        <a class="brand" href=${hash(mine[0].name)}><${Mark} /><span>Onemeter admin</span></a>
      </header>
      <nav id="pages" aria-label="Pages">
        <ul>
          ${mine.map(p => html`
            <li key=${p.name}><a href=${hash(p.name)} aria-current=${p.name === shown.name ? 'page' : undefined}>
              <span>${p.title}</span>
              ${p.name === 'reports' && pending.value > 0 && html`<span class="badge" title="pending reports">${pending.value}</span>`}
            </a></li>`)}
        </ul>
        <div class="who">
          <p class="cut" title=${nameOf(session.value?.user)}>${nameOf(session.value?.user)}</p>
          <p><small>${session.value?.user.role.replace('_', ' ')}</small></p>
          <button type="button" onClick=${logOut}>Log out</button>
        </div>
      </nav>
      <main tabindex="-1">
        <${Away} />
        ${view}
      </main>
      <${Asking} />
      <${Notice} />
    </div>`
}
