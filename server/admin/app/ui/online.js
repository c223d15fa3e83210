import {html} from '../lib.js'
import {hash, refine, route} from '../state/route.js'
import {Broadcast} from './broadcast.js'
import {nameOf, time} from './format.js'
import {Pager, Table, useList} from './list.js'
import {UserActs} from './useracts.js'

/** @typedef {import('../types.d.ts').Present} Present */

const SIZE = 50

/** Who is connected. */
export function Online() {
  const {page = '1'} = route.value.query
  const found = useList('/api/super-admin/users/online', {page, page_size: SIZE})
  const as = (/** @type {Present} */ p) => ({...p, id: p.user_id, status: 'active'})
  return html`
    <h1>Online</h1>
    <p class="bar"><button type="button" onClick=${found.again}>Refresh</button><${Broadcast} /></p>
    <${Table} label="Users who are online" ...${found} items=${found.part?.items} none="Nobody is online." columns=${[
      {head: 'User', wide: true, cell: (/** @type {Present} */ p) => html`<a href=${hash(`users/${p.user_id}`)}>${nameOf(as(p))}</a>${p.username && html` <small>@${p.username}</small>`}`},
      {head: 'Id', number: true, cell: (/** @type {Present} */ p) => p.user_id},
      {head: 'Address', cell: (/** @type {Present} */ p) => p.ip_address || '–'},
      {head: 'Device', wide: true, cell: (/** @type {Present} */ p) => p.device || '–'},
      {head: 'Logged in', cell: (/** @type {Present} */ p) => time(p.login_time)},
      {head: 'Last activity', cell: (/** @type {Present} */ p) => time(p.last_activity)},
      {head: 'Sessions', number: true, cell: (/** @type {Present} */ p) => p.session_count},
      {head: '', cell: (/** @type {Present} */ p) => html`<${UserActs} user=${as(p)} done=${found.again} few />`},
    ]} />
    <${Pager} part=${found.part} size=${SIZE} go=${(/** @type {number} */ n) => refine({page: n})} />`
}
