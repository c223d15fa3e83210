import {html} from '../lib.js'
import {hash, refine, route} from '../state/route.js'
import {Filters} from './filters.js'
import {time} from './format.js'
import {Pager, Table, useList} from './list.js'

/** @typedef {import('../types.d.ts').AuditEntry} Entry */

const SIZE = 50

/** What the staff did, and what they were refused. */
export function Logs() {
  const {level = '', module = '', user_id = '', target = '', page = '1'} = route.value.query
  const found = useList('/api/super-admin/logs', {page, page_size: SIZE, level, module, user_id, target})
  return html`
    <h1>Audit log</h1>
    <p class="quiet">What the staff did, also on the command line, and what was refused. Entries are never changed or deleted.</p>
    <${Filters} filters=${[
      {name: 'level', label: 'Level', options: [['info', 'Done'], ['warning', 'Refused']]},
      {name: 'module', label: 'About', options: ['access', 'users', 'roles', 'messages', 'chats', 'reports', 'system'].map(m => [m, m])},
      {name: 'user_id', label: 'Who (id; 0: operator)', type: 'number', most: 19},
      {name: 'target', label: 'Target, such as user:42'},
    ]} />
    <${Table} label="Audit log" ...${found} items=${found.part?.items} none="No entries found." columns=${[
      {head: 'Time', cell: (/** @type {Entry} */ e) => time(e.created_at)},
      {head: 'Who', cell: (/** @type {Entry} */ e) => e.user_id ? html`<a href=${hash(`users/${e.user_id}`)}>User ${e.user_id}</a>${named(e.user)}` : 'operator'},
      {head: 'From', cell: (/** @type {Entry} */ e) => e.ip || '–'},
      {head: 'About', cell: (/** @type {Entry} */ e) => html`<span class=${`tag ${e.level}`}>${e.module}</span>`},
      {head: 'What', wide: true, cell: (/** @type {Entry} */ e) => html`<span class="whole">${e.message}</span>`},
      {head: 'Target', cell: (/** @type {Entry} */ e) => html`<${Target} target=${e.target} />${named(e.target_user)}`},
    ]} />
    <${Pager} part=${found.part} size=${SIZE} go=${(/** @type {number} */ n) => refine({...route.peek().query, page: n})} />`
}

/** A user's name as it is now, beside the id that an entry has. */
function named(/** @type {import('../types.d.ts').AuditUser | undefined} */ u) {
  const name = u?.deleted ? 'deleted' : u?.username || u?.nickname
  return name ? ` (${name})` : ''
}

/** @param {{target: string}} props */
function Target({target}) {
  const user = /^user:(\d+)$/.exec(target)
  return user ? html`<a href=${hash(`users/${user[1]}`)}>${target}</a>` : target || '–'
}
