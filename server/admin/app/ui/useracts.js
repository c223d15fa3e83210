import {html, useState} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {atLeast, session} from '../state/session.js'
import {nameOf, plural, time} from './format.js'
import {ROLES} from './users.js'

/** @typedef {import('../types.d.ts').Account} Account */

/** How long a ban may be, in seconds. @type {[string, string][]} */
export const DURATIONS = [['3600', 'an hour'], ['86400', 'a day'], ['604800', 'a week'], ['2592000', '30 days'], ['0', 'permanently']]

/** @type {import('../types.d.ts').Field} */
export const REASON = {name: 'reason', label: 'Reason', hint: 'The user sees it, and the audit log keeps it.', required: true, most: 120}

/** How a user is named in a question, so that nobody is taken for somebody else. */
const exactly = (/** @type {Account} */ u) => `${nameOf(u)} (${u.username ? `@${u.username}, ` : ''}id ${u.id})`

/** @param {Account} u */
const ban = u => ({
  title: 'Ban', verb: 'Ban', danger: true,
  text: `${exactly(u)} is logged out everywhere at once and cannot log in until the ban ends.`,
  fields: [REASON, {name: 'duration', label: 'How long', type: /** @type {const} */ ('choice'), options: DURATIONS, value: '86400'}],
  act: async (/** @type {Record<string, string>} */ {reason, duration}) => {
    const done = await call('POST', `/api/super-admin/users/${u.id}/ban`, {reason, duration: Number(duration)})
    return `${nameOf(u)} is banned ${done.until ? `until ${time(done.until)}` : 'permanently'}; ${plural(done.sessions_ended ?? 0, 'session')} ended.`
  },
})

/** @param {Account} u */
const unban = u => ({
  title: 'Lift the ban', verb: 'Lift the ban', text: `${exactly(u)} may log in again.`,
  act: async () => {
    await call('POST', `/api/super-admin/users/${u.id}/unban`)
    return `${nameOf(u)} is no longer banned.`
  },
})

/** @param {Account} u */
const logOut = u => ({
  title: 'Log out', verb: 'Log out', danger: true, text: `All sessions of ${exactly(u)} end at once. The user may log in again.`,
  fields: [{...REASON, required: false}],
  act: async (/** @type {Record<string, string>} */ {reason}) => {
    const done = await call('POST', `/api/super-admin/users/${u.id}/logout`, {reason})
    return `${nameOf(u)} is logged out; ${plural(done.sessions_ended ?? 0, 'session')} ended.`
  },
})

/** @param {Account} u */
const role = u => ({
  title: 'Change the role', verb: 'Change', text: `What ${exactly(u)} may do. The change takes effect at once, on every server.`,
  fields: [{name: 'role', label: 'Role', type: /** @type {const} */ ('choice'), options: ROLES, value: u.role}],
  act: async (/** @type {Record<string, string>} */ fields) => {
    await call('PUT', `/api/super-admin/users/${u.id}/role`, {role: fields.role})
    return `${nameOf(u)} has the role ${fields.role.replace('_', ' ')} now.`
  },
})

/** The new password is shown once, and only here. @param {Account} u; @param {(password: string) => void} show */
const reset = (u, show) => ({
  title: 'Reset the password', verb: 'Reset', danger: true,
  text: `${exactly(u)} gets a new password, which is shown to you once. All sessions of the account end.`,
  act: async () => {
    show((await call('POST', `/api/super-admin/users/${u.id}/password`)).password)
    return `${nameOf(u)} has a new password.`
  },
})

/** @param {Account} u */
const resetSecond = u => ({
  title: 'Reset the second factor', verb: 'Turn off', danger: true,
  text: `${exactly(u)} can then log in with only the password. All sessions of the account end.`,
  act: async () => {
    const done = await call('POST', `/api/super-admin/users/${u.id}/reset-2fa`)
    return `${nameOf(u)} has no second factor now; ${plural(done.sessions_ended ?? 0, 'session')} ended.`
  },
})

/** @param {Account} u */
const remove = u => ({
  title: 'Delete the account', verb: 'Delete permanently', danger: true,
  text: `The account of ${exactly(u)} is deleted, with its profile, login and memberships. This cannot be undone. Messages stay with those who got them.`,
  fields: [{name: 'sure', label: `Enter the id ${u.id} to confirm`, required: true, most: 20}],
  act: async (/** @type {Record<string, string>} */ {sure}) => {
    if (sure.trim() !== String(u.id)) throw new Error(`That is not ${u.id}. Nothing was deleted.`)
    await call('DELETE', `/api/super-admin/users/${u.id}`)
    return `The account of ${nameOf(u)} was deleted.`
  },
})

/**
 * What can be done to a user. done is called after each act.
 * @param {{user: Account, done: () => void, few?: boolean}} props few: of a row in a list
 */
export function UserActs({user, done, few}) {
  const [password, setPassword] = useState('')
  if (user.status === 'deleted') return null
  const self = user.id === session.value?.user.id
  const button = (/** @type {import('../types.d.ts').Question} */ q, danger = false) => html`
    <button type="button" class=${danger ? 'danger' : ''} aria-label=${few ? `${q.title}: ${nameOf(user)}` : undefined}
      onClick=${() => ask({...q, act: async values => { const told = await q.act(values); done(); return told }})}>${q.title}</button>`
  return html`
    <div class="row-acts">
      ${!self && (user.status === 'banned' ? button(unban(user)) : button(ban(user), true))}
      ${!self && button(logOut(user))}
      ${!few && atLeast('super_admin') && button(role(user))}
      ${!few && !self && button(reset(user, setPassword), true)}
      ${!few && !self && atLeast('super_admin') && button(resetSecond(user), true)}
      ${!few && !self && button(remove(user), true)}
    </div>
    ${password && html`<p class="box">The new password is <code class="secret">${password}</code>. Give it to the user in a safe way. It is not shown again.</p>`}`
}
