import {html, useState} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {session} from '../state/session.js'
import {time} from './format.js'
import {Table, useList} from './list.js'
import {TwoFactor} from './twofactor.js'

/** @typedef {import('../types.d.ts').Device} Device */

/** My own account: password, second factor, sessions. */
export function Security() {
  return html`
    <h1>Security</h1>
    <${Password} />
    <${TwoFactor} />
    <${Sessions} />`
}

function Password() {
  const [said, setSaid] = useState({text: '', bad: false})
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = /** @type {HTMLFormElement} */ (e.currentTarget)
    const value = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? '')
    if (value('new') !== value('again')) return setSaid({text: 'The two new passwords differ. Nothing was changed.', bad: true})
    try {
      await call('PUT', '/api/users/me/password', {old_password: value('old'), new_password: value('new')})
      form.reset()
      setSaid({text: 'Your password was changed. Your other sessions have ended.', bad: false})
    } catch (error) {
      setSaid({text: /** @type {Error} */ (error).message, bad: true})
    }
  }
  return html`
    <section class="card" aria-label="Password">
      <h2>Password</h2>
      <form class="narrow" onSubmit=${submit}>
        <input type="hidden" name="username" autocomplete="username" value=${session.value?.user.username ?? ''} />
        <label class="field"><span>Old password</span><input name="old" type="password" required autocomplete="current-password" maxlength="1024" /></label>
        <label class="field"><span>New password</span><input name="new" type="password" required autocomplete="new-password" minlength="6" maxlength="1024" /></label>
        <label class="field"><span>New password again</span><input name="again" type="password" required autocomplete="new-password" maxlength="1024" /></label>
        <p class=${said.bad ? 'fault' : ''} role=${said.bad ? 'alert' : 'status'}>${said.text}</p>
        <button class="primary">Change the password</button>
      </form>
    </section>`
}

function Sessions() {
  const found = useList('/api/users/me/sessions', {})
  const end = (/** @type {Device} */ s) => ask({
    title: 'End the session', verb: 'End', danger: true, text: `${s.device || 'The device'} at ${s.ip || 'an unknown address'} is logged out.`,
    act: async () => {
      await call('DELETE', `/api/users/me/sessions/${encodeURIComponent(s.id)}`)
      found.again()
      return 'The session has ended.'
    },
  })
  const endOthers = () => ask({
    title: 'End all other sessions', verb: 'End', danger: true, text: 'You stay logged in only here.',
    act: async () => {
      await call('DELETE', '/api/users/me/sessions')
      found.again()
      return 'All other sessions have ended.'
    },
  })
  return html`
    <section class="card" aria-label="Sessions">
      <h2>Sessions</h2>
      <${Table} label="Your sessions" ...${found} items=${found.part?.items} none="No sessions." columns=${[
        {head: 'Device', wide: true, cell: (/** @type {Device} */ s) => html`${s.device || '–'} ${s.current && html`<span class="tag active">this one</span>`}`},
        {head: 'Address', cell: (/** @type {Device} */ s) => s.ip || '–'},
        {head: 'Logged in', cell: (/** @type {Device} */ s) => time(s.created_at)},
        {head: 'Last used', cell: (/** @type {Device} */ s) => time(s.last_used)},
        {head: '', cell: (/** @type {Device} */ s) => !s.current && html`<button type="button" class="danger" aria-label=${`End the session of ${s.device}`} onClick=${() => end(s)}>End</button>`},
      ]} />
      <p class="bar"><button type="button" onClick=${endOthers}>End all other sessions…</button></p>
    </section>`
}
