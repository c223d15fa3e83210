import {html} from '../lib.js'
import {call} from '../state/api.js'
import {hash} from '../state/route.js'
import {count, nameOf, time} from './format.js'
import {Table, useAnswer, useList} from './list.js'
import {Status} from './status.js'
import {UserActs} from './useracts.js'

/** @typedef {import('../types.d.ts').Account} Account */
/** @typedef {import('../types.d.ts').Analysis} Analysis */
/** @typedef {import('../types.d.ts').Device} Device */

/** One account: who it is, what it does, and what can be done. @param {{id: string}} props */
export function User({id}) {
  const path = `/api/super-admin/users/${encodeURIComponent(id)}`
  const account = useAnswer(() => /** @type {Promise<Account>} */ (call('GET', path)), [id])
  const analysis = useAnswer(() => /** @type {Promise<Analysis>} */ (call('GET', `${path}/analysis`)), [id])
  const sessions = useList(`${path}/sessions`, {})
  const u = account.data, a = analysis.data
  const again = () => { account.again(); analysis.again(); sessions.again() }
  return html`
    <p><a href="#users">All users</a></p>
    <h1 class="whole">${u ? nameOf(u) : `User ${id}`}</h1>
    ${account.fault && html`<p class="fault box" role="alert">${account.fault}</p>`}
    ${u && html`
      <dl class="facts card">
        <dt>Id</dt><dd>${u.id}</dd>
        <dt>Username</dt><dd>${u.username || '–'}</dd>
        <dt>Phone</dt><dd>${u.phone || '–'}</dd>
        <dt>Role</dt><dd>${u.role.replace('_', ' ')}</dd>
        <dt>Status</dt><dd><${Status} account=${u} /></dd>
        ${u.ban && html`
          <dt>Banned</dt><dd>${time(u.ban.created_at)}, by ${u.ban.by ? html`<a href=${hash(`users/${u.ban.by}`)}>user ${u.ban.by}</a>` : 'the operator'}, ${u.ban.until ? `until ${time(u.ban.until)}` : 'permanently'}</dd>
          <dt>Reason</dt><dd class="whole">${u.ban.reason || '–'}</dd>`}
        <dt>Since</dt><dd>${time(u.created_at)}</dd>
        <dt>Last seen</dt><dd>${u.online ? 'online now' : time(u.last_seen)}</dd>
      </dl>
      <${UserActs} user=${u} done=${again} />`}
    ${analysis.fault && !account.fault && html`<p class="fault box" role="alert">${analysis.fault}</p>`}
    ${a && html`
      <h2>Activity</h2>
      <dl class="facts card">
        <dt>Messages</dt><dd>${count(a.total_messages)}${a.more_messages && ' or more'}</dd>
        <dt>Conversations</dt><dd>${count(a.total_chats)}</dd>
        <dt>Last active</dt><dd>${time(a.last_active_time)}</dd>
        <dt>Reported</dt><dd>${count(a.reported_count)}</dd>
        <dt>Violations</dt><dd>${count(a.violation_count)}</dd>
      </dl>
      <p class="links">
        <a href=${hash('logs', {target: `user:${id}`})}>Acts on this account</a>
        <a href=${hash('logs', {user_id: id})}>Acts by this account</a>
        <a href=${hash('messages', {user_id: id})}>Messages</a>
        <a href=${hash('reports', {user_id: id})}>Reports</a>
      </p>`}
    ${u && html`
      <h2>Sessions</h2>
      <${Table} label="Sessions" ...${sessions} items=${sessions.part?.items} none="No sessions." columns=${[
        {head: 'Device', wide: true, cell: (/** @type {Device} */ s) => s.device || '–'},
        {head: 'Address', cell: (/** @type {Device} */ s) => s.ip || '–'},
        {head: 'Logged in', cell: (/** @type {Device} */ s) => time(s.created_at)},
        {head: 'Last used', cell: (/** @type {Device} */ s) => time(s.last_used)},
      ]} />`}`
}
