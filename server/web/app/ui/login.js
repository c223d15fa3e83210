import {html, useState} from '../lib.js'
import {authenticate, authenticateSecond} from '../state/api.js'
import {farewell} from '../state/session.js'
import {Mark} from './icons.js'

/** @typedef {{name: string, label: string, hint?: string, type?: string, complete: string, optional?: boolean, pattern?: string}} Field */

/** @type {Record<'login' | 'register', Field[]>} */
const FIELDS = {
  login: [
    {name: 'who', label: 'Phone or username', complete: 'username'},
    {name: 'password', label: 'Password', type: 'password', complete: 'current-password'},
  ],
  register: [
    {name: 'nickname', label: 'Name', hint: 'Others see it. You can change it later.', complete: 'name', optional: true},
    {name: 'username', label: 'Username', hint: 'Others find you by it. Use letters, digits, dots, dashes and underscores.', complete: 'off', optional: true},
    {name: 'phone', label: 'Phone', hint: '5 to 20 digits. You log in with it. Only people you add see it.', type: 'tel', complete: 'tel'},
    {name: 'password', label: 'Password', hint: 'At least 6 characters.', type: 'password', complete: 'new-password'},
  ],
}

/** The server wants to know whether it is a phone or a username. */
function credentials(/** @type {Record<string, string>} */ {who, ...rest}) {
  if (who === undefined) return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''))
  const phone = who.replace(/[\s()/-]/g, '')
  return /^\+?\d+$/.test(phone) ? {phone, ...rest} : {username: who.trim(), ...rest}
}

/** The page before login. */
export function Login() {
  const [how, setHow] = useState(/** @type {'login' | 'register'} */ ('login'))
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const [token, setToken] = useState('') // of a login that needs a code
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (e.currentTarget))
    setFault('')
    setBusy(true)
    try {
      setToken(await authenticate(how, credentials(/** @type {Record<string, string>} */ (Object.fromEntries(form)))))
      setBusy(false)
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
      setBusy(false)
    }
  }
  if (token) return html`<${SecondStep} token=${token} back=${() => setToken('')} />`
  const other = how === 'login' ? 'register' : 'login'
  const change = () => { setHow(other); setFault('') }
  const said = fault || farewell.value
  return html`
    <main class="login">
      <form onSubmit=${submit} key=${how}>
        <${Mark} />
        <h1>${how === 'login' ? 'Log in' : 'Register'}</h1>
        <p class="quiet">${how === 'login' ? 'Welcome back to Onemeter chat.' : 'You only need a phone number and a password.'}</p>
        ${FIELDS[how].map(f => html`<${Input} key=${f.name} ...${f} />`)}
        <p class="fault" role="alert">${said}</p>
        <button class="primary" disabled=${busy}>${busy ? 'One moment…' : how === 'login' ? 'Log in' : 'Register'}</button>
        <p class="quiet">
          ${how === 'login' ? 'New here? ' : 'Already registered? '}
          <button type="button" class="link" onClick=${change}>${how === 'login' ? 'Register' : 'Log in'}</button>
        </p>
      </form>
    </main>`
}

/** The page for the code, after the right password. @param {{token: string, back: () => void}} props */
function SecondStep({token, back}) {
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (e.currentTarget))
    setFault('')
    setBusy(true)
    try {
      await authenticateSecond({login_token: token, code: String(form.get('code')).trim(), trust_device: form.has('trust')})
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
      setBusy(false)
    }
  }
  return html`
    <main class="login">
      <form onSubmit=${submit}>
        <${Mark} />
        <h1>Enter your code</h1>
        <p class="quiet">Your authenticator app shows it. A backup code also works.</p>
        <${Input} name="code" label="Code" complete="one-time-code" />
        <label class="check"><input type="checkbox" name="trust" /> Do not ask again on this device for 30 days</label>
        <p class="fault" role="alert">${fault}</p>
        <button class="primary" disabled=${busy}>${busy ? 'One moment…' : 'Log in'}</button>
        <p class="quiet"><button type="button" class="link" onClick=${back}>Back</button></p>
      </form>
    </main>`
}

/** @param {Field} props */
export function Input({name, label, hint, type, complete, optional}) {
  return html`
    <label class="field">
      <span>${label}${optional && html` <small>(optional)</small>`}</span>
      <input name=${name} type=${type ?? 'text'} autocomplete=${complete} required=${!optional} autocapitalize="off" spellcheck=${false}
        aria-describedby=${hint && `${name}-hint`} />
      ${hint && html`<small id=${`${name}-hint`}>${hint}</small>`}
    </label>`
}
