import {html, useState} from '../lib.js'
import {call, exportMe} from '../state/api.js'
import {tellError} from '../state/notice.js'
import {leave} from '../state/session.js'
import {Form} from './form.js'
import {Input} from './login.js'

/** Download of the user's data, and deletion of the account. */
export function Leaving() {
  const [busy, setBusy] = useState(false)
  const save = async () => {
    setBusy(true)
    try {
      const url = URL.createObjectURL(await exportMe())
      const link = document.createElement('a')
      link.href = url
      link.download = 'onemeter-export.zip'
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    } catch (e) {
      tellError(e)
    }
    setBusy(false)
  }
  const remove = async (/** @type {Record<string, string>} */ fields) => {
    await call('DELETE', '/api/users/me', fields)
    leave('Your account was deleted.')
  }
  return html`
    <p>A zip file with your profile, friends, messages and files.</p>
    <div class="actions"><button type="button" disabled=${busy} onClick=${save}>${busy ? 'One moment…' : 'Download your data'}</button></div>
    <h3>Delete account</h3>
    <p>You leave your groups, and nobody can find you. Others keep the messages you sent them. This cannot be undone.</p>
    <${Form} label="Delete account" danger submit=${remove}>
      <${Input} name="password" label="Password" type="password" complete="current-password" />
    <//>`
}
