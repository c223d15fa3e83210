import {html, useState} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {count} from './format.js'
import {useAnswer} from './list.js'

/** @typedef {{enabled: boolean, required: boolean, backup_codes: number}} Status */
/** What an authenticator app takes. @typedef {{secret: string, otpauth_url: string}} Offer */

/** @type {import('../types.d.ts').Field} */
const CODE = {name: 'code', label: 'Code', hint: 'From your app.', required: true, most: 64, complete: 'one-time-code'}

/** @type {import('../types.d.ts').Field} */
const PASSWORD = {name: 'password', label: 'Password', type: 'password', required: true, complete: 'current-password'}

/** The second factor of my own login. */
export function TwoFactor() {
  const status = useAnswer(() => /** @type {Promise<Status>} */ (call('GET', '/api/2fa/status')), [])
  const [codes, setCodes] = useState(/** @type {string[]} */ ([]))
  const [offer, setOffer] = useState(/** @type {Offer | null} */ (null))
  const [fault, setFault] = useState('')
  const begin = () => ask({
    title: 'Turn the second factor on', verb: 'Continue', text: 'Enter your password. Then you get a secret for an authenticator app.', fields: [PASSWORD],
    act: async ({password}) => {
      setOffer(await call('POST', '/api/2fa/enable', {password}))
      return 'Enter the secret in your app, and its code here.'
    },
  })
  const verify = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const code = String(new FormData(/** @type {HTMLFormElement} */ (e.currentTarget)).get('code') ?? '').trim()
    setFault('')
    try {
      setCodes((await call('POST', '/api/2fa/verify', {code})).backup_codes ?? [])
      setOffer(null)
      status.again()
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
    }
  }
  const renew = () => ask({
    title: 'New backup codes', verb: 'Create new codes', text: 'The old backup codes stop working.', fields: [CODE],
    act: async ({code}) => {
      setCodes((await call('POST', '/api/2fa/regenerate-backup-codes', {code: code.trim()})).backup_codes ?? [])
      return 'New backup codes were created.'
    },
  })
  const disable = () => ask({
    title: 'Turn the second factor off', verb: 'Turn off', danger: true, text: 'After that, your password is enough to log in.',
    fields: [PASSWORD, CODE],
    act: async ({password, code}) => {
      await call('POST', '/api/2fa/disable', {password, code: code.trim()})
      setCodes([])
      status.again()
      return 'The second factor is off.'
    },
  })
  return html`
    <section class="card" aria-label="Second factor">
      <h2>Second factor</h2>
      ${status.fault && html`<p class="fault" role="alert">${status.fault}</p>`}
      ${status.data && html`<p>${status.data.enabled ? `On. You log in with your password and a code from your app. Backup codes left: ${count(status.data.backup_codes)}.` : status.data.required ? 'This server requires it. Turn it on to use the console.' : 'Off. Your password is enough to log in.'}</p>`}
      ${codes.length > 0 && html`
        <div class="box"><p>Save these backup codes where you keep passwords. Each works once. They are not shown again.</p>
          <ul class="codes">${codes.map(c => html`<li key=${c}><code>${c}</code></li>`)}</ul></div>`}
      <p class="fault" role="alert">${fault}</p>
      ${offer && html`
        <form class="narrow" onSubmit=${verify}>
          <p>Enter this secret in an authenticator app, or open the link. Then enter the code that the app shows.</p>
          <p><code class="whole secret">${offer.secret}</code></p>
          <p><a href=${offer.otpauth_url}>Open in an app on this device</a></p>
          <label class="field"><span>Code</span><input name="code" required autocomplete="one-time-code" inputmode="numeric" maxlength="16" /></label>
          <button class="primary">Turn on</button>
        </form>`}
      ${status.data && !offer && html`
        <div class="row-acts">
          ${status.data.enabled ? html`<button type="button" onClick=${renew}>New backup codes…</button><button type="button" class="danger" onClick=${disable}>Turn off…</button>`
            : html`<button type="button" onClick=${begin}>Turn on…</button>`}
        </div>`}
    </section>`
}
