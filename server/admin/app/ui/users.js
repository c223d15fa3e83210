import {html} from '../lib.js'
import {hash, refine, route} from '../state/route.js'
import {Filters} from './filters.js'
import {day, nameOf, time} from './format.js'
import {Pager, Table, useList} from './list.js'
import {Status} from './status.js'
import {UserActs} from './useracts.js'

/** @typedef {import('../types.d.ts').Account} Account */

const SIZE = 50

/** @type {[string, string][]} */
export const ROLES = [['user', 'User'], ['moderator', 'Moderator'], ['admin', 'Administrator'], ['super_admin', 'Super administrator']]

/** All accounts. */
export function Users() {
  const {username = '', phone = '', status = '', role = '', page = '1'} = route.value.query
  const found = useList('/api/super-admin/users', {page, page_size: SIZE, username, phone, status, role})
  return html`
    <h1>Users</h1>
    <${Filters} filters=${[
      {name: 'username', label: 'Name contains'},
      {name: 'phone', label: 'Phone begins with'},
      {name: 'status', label: 'Status', options: [['active', 'Active'], ['banned', 'Banned'], ['deleted', 'Deleted']]},
      {name: 'role', label: 'Role', options: ROLES},
    ]} />
    <${Table} label="Users" ...${found} items=${found.part?.items} none="No accounts found." columns=${[
      {head: 'User', wide: true, cell: (/** @type {Account} */ u) => html`<a href=${hash(`users/${u.id}`)}>${nameOf(u)}</a>${u.username && html` <small>@${u.username}</small>`}`},
      {head: 'Phone', cell: (/** @type {Account} */ u) => u.phone || '–'},
      {head: 'Role', cell: (/** @type {Account} */ u) => u.role.replace('_', ' ')},
      {head: 'Status', cell: (/** @type {Account} */ u) => html`<${Status} account=${u} />`},
      {head: 'Since', cell: (/** @type {Account} */ u) => day(u.created_at)},
      {head: 'Last seen', cell: (/** @type {Account} */ u) => u.online ? 'online' : time(u.last_seen)},
      {head: '', cell: (/** @type {Account} */ u) => html`<${UserActs} user=${u} done=${found.again} few />`},
    ]} />
    <${Pager} part=${found.part} size=${SIZE} go=${(/** @type {number} */ n) => refine({...route.peek().query, page: n})} />`
}
