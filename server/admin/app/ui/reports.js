import {html} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {countPending} from '../state/pending.js'
import {hash, refine, route} from '../state/route.js'
import {nameOf, time} from './format.js'
import {Pager, useList} from './list.js'
import {DURATIONS} from './useracts.js'

/** @typedef {import('../types.d.ts').Report} Report */

const SIZE = 20

/** What users reported: what waits, the oldest first, or what was handled, the newest first. */
export function Reports() {
  const {handled = '', user_id = '', page = '1'} = route.value.query
  const found = useList(handled ? '/api/moderation/reports' : '/api/moderation/reports/pending', {page, page_size: SIZE, user_id})
  const items = /** @type {Report[] | undefined} */ (found.part?.items)
  const done = () => { found.again(); void countPending() }
  const tab = (/** @type {string} */ value, /** @type {string} */ label) => html`
    <a href=${hash('reports', {handled: value, user_id})} aria-current=${handled === value ? 'page' : undefined}>${label}</a>`
  return html`
    <h1>Reports</h1>
    <p class="tabs">${tab('', 'Pending')}${tab('1', 'Handled')}</p>
    ${user_id && html`<p>About <a href=${hash(`users/${user_id}`)}>user ${user_id}</a> only. <a href=${hash('reports', {handled})}>Show all</a></p>`}
    ${found.fault && html`<p class="fault box" role="alert">${found.fault}</p>`}
    ${items?.length === 0 && html`<p class="quiet box" role="status">${handled ? 'No handled reports.' : 'No pending reports.'}</p>`}
    <ul class="reports" aria-busy=${found.busy}>${items?.map(r => html`<li key=${r.id} class="card"><${One} r=${r} done=${done} /></li>`)}</ul>
    <${Pager} part=${found.part} size=${SIZE} go=${(/** @type {number} */ n) => refine({...route.peek().query, page: n})} />`
}

/** @param {{r: Report, done: () => void}} props */
function One({r, done}) {
  return html`
    <h2><a href=${hash(`users/${r.user_id}`)}>${r.user ? nameOf(r.user) : `User ${r.user_id}`}</a>: ${r.reason}</h2>
    <p class="quiet">Report ${r.id}, by <a href=${hash(`users/${r.reporter_id}`)}>${r.reporter ? nameOf(r.reporter) : `user ${r.reporter_id}`}</a>, ${time(r.created_at)}</p>
    ${r.comment && html`<p class="whole">${r.comment}</p>`}
    ${r.message_id && html`<blockquote><small>Message ${r.message_id}</small><p class="whole">${r.content || 'No text.'}</p></blockquote>`}
    ${r.status === 'pending' ? html`<${Acts} r=${r} done=${done} />`
      : html`<p>${r.action}, by ${r.handled_by ? html`<a href=${hash(`users/${r.handled_by}`)}>user ${r.handled_by}</a>` : 'the operator'}, ${time(r.handled_at)}</p>`}`
}

/** What can be made of a report. @param {{r: Report, done: () => void}} props */
function Acts({r, done}) {
  const name = r.user ? nameOf(r.user) : `User ${r.user_id}`
  const handle = (/** @type {string} */ action, /** @type {string} */ told) => async (/** @type {Record<string, string>} */ {note = '', duration = '0'}) => {
    await call('POST', `/api/moderation/reports/${r.id}/handle`, {action, note, duration: Number(duration)})
    done()
    return told
  }
  const button = (/** @type {import('../types.d.ts').Question} */ q, /** @type {string} */ label) => html`
    <button type="button" class=${q.danger ? 'danger' : ''} aria-label=${`${label}: report ${r.id}`} onClick=${() => ask(q)}>${label}</button>`
  return html`
    <div class="row-acts">
      ${button({
        title: 'Dismiss the report', verb: 'Dismiss', text: `Report ${r.id} is closed, and nothing happens to ${name}.`,
        act: handle('dismiss', `Report ${r.id} was dismissed.`),
      }, 'Dismiss')}
      ${button({
        title: 'Warn', verb: 'Warn', text: `${name} gets a notice, and the report is closed.`,
        fields: [{name: 'note', label: 'What the notice says', type: 'area', required: true, most: 120}],
        act: handle('warn', `${name} was warned.`),
      }, 'Warn…')}
      ${r.message_id && button({
        title: 'Delete the message', verb: 'Delete', danger: true, text: `Message ${r.message_id} of ${name} is deleted for everybody, and the report is closed.`,
        act: handle('delete', `Message ${r.message_id} was deleted.`),
      }, 'Delete the message…')}
      ${button({
        title: 'Ban', verb: 'Ban', danger: true, text: `${name} (id ${r.user_id}) is logged out everywhere at once and cannot log in until the ban ends. The report is closed.`,
        fields: [{name: 'note', label: 'Reason', hint: 'The user sees it, and the audit log keeps it.', required: true, most: 120, value: r.reason.slice(0, 120)},
          {name: 'duration', label: 'How long', type: 'choice', options: DURATIONS, value: '86400'}],
        act: handle('ban', `${name} is banned.`),
      }, 'Ban…')}
    </div>`
}
