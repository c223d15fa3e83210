import {html, useState} from '../lib.js'
import {call, logOut} from '../state/api.js'
import {tell} from '../state/notice.js'
import {changeMe, me} from '../state/session.js'
import {Leaving} from './leaving.js'
import {Modal} from './modal.js'
import {MyFiles} from './myfiles.js'
import {PrivacySettings} from './privacy.js'
import {Password} from './password.js'
import {Sessions} from './sessions.js'
import {TwoFactor} from './twofactor.js'

/** A part of the settings, which is loaded when it is opened. @param {{title: string, children?: unknown}} props */
function Section({title, children}) {
  const [open, setOpen] = useState(false)
  return html`
    <details onToggle=${(/** @type {any} */ e) => setOpen(e.currentTarget.open)}>
      <summary>${title}</summary>
      ${open && children}
    </details>`
}

/** The user's account and settings. @param {{close: () => void}} props */
export function Account({close}) {
  const user = me.value
  const [fault, setFault] = useState('')
  const [files, setFiles] = useState(false)
  const save = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (e.currentTarget))
    try {
      changeMe(await call('PUT', '/api/users/me', {nickname: String(form.get('nickname'))}))
      tell('Your name was changed.')
      close()
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
    }
  }
  if (files) return html`<${MyFiles} close=${close} />`
  return html`
    <${Modal} title="Your account" close=${close}>
      <form onSubmit=${save}>
        <dl>
          <dt>Phone</dt><dd>${user.phone}</dd>
          <dt>Username</dt><dd>${user.username || 'None'}</dd>
        </dl>
        <label class="field"><span>Name</span><input name="nickname" value=${user.nickname ?? ''} autocomplete="name" /></label>
        <p class="fault" role="alert">${fault}</p>
        <div class="actions">
          <button type="button" onClick=${logOut}>Log out</button>
          <button type="button" onClick=${() => setFiles(true)}>Your files</button>
          <button class="primary">Save</button>
        </div>
      </form>
      <${PrivacySettings} />
      <${Section} title="Password"><${Password} /><//>
      <${Section} title="Where you are logged in"><${Sessions} /><//>
      <${Section} title="Two-factor login"><${TwoFactor} /><//>
      <${Section} title="Your data"><${Leaving} /><//>
    <//>`
}
