import {html} from '../lib.js'
import {call} from '../state/api.js'
import {tell} from '../state/notice.js'
import {Form} from './form.js'
import {Input} from './login.js'

/** A new password. */
export function Password() {
  const change = async (/** @type {Record<string, string>} */ fields) => {
    await call('PUT', '/api/users/me/password', fields)
    tell('Your password is changed. All other devices are logged out.')
  }
  return html`
    <${Form} label="Change the password" submit=${change}>
      <${Input} name="old_password" label="Old password" type="password" complete="current-password" />
      <${Input} name="new_password" label="New password" hint="At least 6 characters." type="password" complete="new-password" />
    <//>`
}
