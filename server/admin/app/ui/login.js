import {html, useEffect, useRef, useState} from '../lib.js'
import {logIn, logInWithCode} from '../state/api.js'
import {farewell} from '../state/session.js'
import {Away} from './away.js'
import {Mark} from './icons.js'

/** The server wants to know whether it is a phone or a username. @param {string} who; @param {string} password */
function credentials(who, password) {
  const phone = who.replace(/[\s()/-]/g, '')
  return /^\+?\d+$/.test(phone) ? {phone, password} : {username: who.trim(), password}
}

/** The page before login: a name and a password, and then a code if there is a second factor. */
export function Login() {
  const [token, setToken] = useState('') // to send a code with; empty: no password yet
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const code = useRef(/** @type {HTMLInputElement | null} */ (null))
  useEffect(() => { document.title = 'Log in – Onemeter admin' }, [])
  useEffect(() => { if (token) code.current?.focus() }, [token])
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (e.currentTarget))
    const value = (/** @type {string} */ name) => String(form.get(name) ?? '')
    setFault('')
    setBusy(true)
    try {
      if (token) await logInWithCode(token, value('code').trim())
      else setToken(await logIn(credentials(value('who'), value('password'))) ?? '')
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
    }
    setBusy(false)
  }
  const back = () => { setToken(''); setFault('') }
  return html`
    <main class="login">
      <form onSubmit=${submit} key=${token ? 'code' : 'password'}>
        <${Mark} />
        <h1>Onemeter admin</h1>
        <p class="quiet">${token ? 'Enter the code that your app shows, or one of your backup codes.' : 'Log in as an administrator or a moderator.'}</p>
        <${Away} />
        ${token ? html`
          <label class="field"><span>Code</span>
            <input ref=${code} name="code" required autocomplete="one-time-code" autocapitalize="off" spellcheck=${false} maxlength="64" /></label>` : html`
          <label class="field"><span>Phone or username</span>
            <input name="who" required autocomplete="username" autocapitalize="off" spellcheck=${false} maxlength="64" /></label>
          <label class="field"><span>Password</span>
            <input name="password" type="password" required autocomplete="current-password" maxlength="1024" /></label>`}
        <p class="fault" role="alert">${fault || (!token && farewell.value)}</p>
        <button class="primary" disabled=${busy}>${busy ? 'One moment…' : 'Log in'}</button>
        ${token && html`<p><button type="button" class="link" onClick=${back}>Log in as somebody else</button></p>`}
      </form>
    </main>`
}
