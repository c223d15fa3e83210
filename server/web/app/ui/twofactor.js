import {html, useEffect, useState} from '../lib.js'
import {call, logOut} from '../state/api.js'
import {tell, tellError} from '../state/notice.js'
import {setUpFirst} from '../state/session.js'
import {connect} from '../state/socket.js'
import {Form} from './form.js'
import {Input} from './login.js'
import {Notice} from './notice.js'

/** @typedef {{enabled: boolean, required: boolean, backup_codes: number}} Status */

/** Settings of two-factor login. @param {{done?: () => void}} props */
export function TwoFactor({done}) {
  const [status, setStatus] = useState(/** @type {Status | null} */ (null))
  const [codes, setCodes] = useState(/** @type {string[]} */ ([]))
  const load = () => call('GET', '/api/2fa/status').then(setStatus)
  useEffect(() => { load().catch(tellError) }, [])
  const shown = async (/** @type {{backup_codes: string[]}} */ data) => { setCodes(data.backup_codes); await load() }
  if (codes.length > 0) return html`<${BackupCodes} codes=${codes} done=${() => { setCodes([]); done?.() }} />`
  if (!status) return null
  if (!status.enabled) return html`<${SetUp} shown=${shown} />`
  const off = async (/** @type {Record<string, string>} */ fields) => {
    await call('POST', '/api/2fa/disable', fields)
    tell('Two-factor login is off.')
    await load()
  }
  return html`
    <p>On. You log in with your password and a code. Backup codes left: ${status.backup_codes}.</p>
    <${Form} label="New backup codes" submit=${async (/** @type {Record<string, string>} */ f) => shown(await call('POST', '/api/2fa/regenerate-backup-codes', f))}>
      <${Input} name="code" label="Code" complete="one-time-code" />
    <//>
    ${!status.required && html`<${Form} label="Turn off" danger submit=${off}>
      <${Input} name="password" label="Password" type="password" complete="current-password" />
      <${Input} name="code" label="Code or backup code" complete="one-time-code" />
    <//>`}`
}

/** @param {{shown: (data: {backup_codes: string[]}) => Promise<void>}} props */
function SetUp({shown}) {
  const [key, setKey] = useState(/** @type {{secret: string, otpauth_url: string} | null} */ (null))
  const begin = async (/** @type {Record<string, string>} */ fields) => setKey(await call('POST', '/api/2fa/enable', fields))
  if (!key) {
    return html`
      <p>You log in with your password and a code from an authenticator app.</p>
      <${Form} key="password" label="Set up" submit=${begin}>
        <${Input} name="password" label="Password" type="password" complete="current-password" />
      <//>`
  }
  return html`
    <p>Add this key to your authenticator app, or <a href=${key.otpauth_url}>open it there</a> if it is on this device:</p>
    <code class="secret">${(key.secret.match(/.{1,4}/g) ?? []).join(' ')}</code>
    <${Form} key="code" label="Turn on" submit=${async (/** @type {Record<string, string>} */ f) => shown(await call('POST', '/api/2fa/verify', f))}>
      <${Input} name="code" label="Code from the app" complete="one-time-code" />
    <//>`
}

/** @param {{codes: string[], done: () => void}} props */
function BackupCodes({codes, done}) {
  return html`
    <p>Save these backup codes. Each works once if you lose your authenticator. They are not shown again.</p>
    <ul class="codes">${codes.map(c => html`<li key=${c}>${c}</li>`)}</ul>
    <div class="actions"><button type="button" class="primary" onClick=${done}>I have saved them</button></div>`
}

/** The page of a user who must first set up two-factor login. */
export function SetUpFirst() {
  return html`
    <main class="login">
      <div class="card">
        <h1>Set up two-factor login</h1>
        <p class="quiet">This server requires it before you can continue.</p>
        <${TwoFactor} done=${() => { setUpFirst.value = false; connect() }} />
        <p class="quiet"><button type="button" class="link" onClick=${logOut}>Log out</button></p>
      </div>
      <${Notice} />
    </main>`
}
