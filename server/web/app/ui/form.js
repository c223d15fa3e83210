import {html, useState} from '../lib.js'

/**
 * A form of the settings. It shows an error, or clears itself after success.
 * @param {{submit: (fields: Record<string, string>) => Promise<unknown>, label: string, danger?: boolean, children?: unknown}} props
 */
export function Form({submit, label, danger, children}) {
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const go = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = /** @type {HTMLFormElement} */ (e.currentTarget)
    setFault('')
    setBusy(true)
    try {
      await submit(/** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form))))
      form.reset()
    } catch (error) {
      setFault(/** @type {Error} */ (error).message)
    }
    setBusy(false)
  }
  return html`
    <form onSubmit=${go}>
      ${children}
      <p class="fault" role="alert">${fault}</p>
      <div class="actions"><button class=${danger ? 'danger' : ''} disabled=${busy}>${busy ? 'One moment…' : label}</button></div>
    </form>`
}
