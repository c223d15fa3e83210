import {html, useState} from '../lib.js'
import {question} from '../state/asking.js'
import {tell} from '../state/notice.js'
import {Modal} from './modal.js'

/** @typedef {import('../types.d.ts').Question} Question */
/** @typedef {import('../types.d.ts').Field} Field */

/** The box that asks before an act, and stays where the act fails. */
export function Asking() {
  const q = question.value
  return q && html`<${Box} q=${q} key=${q.title} />`
}

/** @param {{q: Question}} props */
function Box({q}) {
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const close = () => { if (question.peek() === q) question.value = null }
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    const form = new FormData(/** @type {HTMLFormElement} */ (e.currentTarget))
    setFault('')
    setBusy(true)
    try {
      const done = await q.act(/** @type {Record<string, string>} */ (Object.fromEntries(form)))
      close()
      tell(done)
    } catch (error) {
      const why = /** @type {Error} */ (error).message
      if (question.peek() === q) setFault(why)
      else tell(`${q.title}: ${why}`)
    }
    setBusy(false)
  }
  return html`
    <${Modal} title=${q.title} close=${close}>
      <form onSubmit=${submit} class="asking">
        <p class="whole">${q.text}</p>
        ${q.fields?.map(f => html`<${Input} key=${f.name} f=${f} />`)}
        <p class="fault" role="alert">${fault}</p>
        <div class="actions">
          <button type="button" onClick=${close}>Cancel</button>
          <button class=${q.danger ? 'primary grave' : 'primary'} disabled=${busy}>${busy ? 'One moment…' : q.verb}</button>
        </div>
      </form>
    <//>`
}

/** @param {{f: Field}} props */
function Input({f}) {
  const common = {name: f.name, required: f.required, maxlength: f.most, autocomplete: f.complete ?? 'off', 'aria-describedby': f.hint && `${f.name}-hint`}
  const input = f.type === 'choice'
    ? html`<select ...${common}>${f.options?.map(([value, label]) => html`<option key=${value} value=${value} selected=${value === f.value}>${label}</option>`)}</select>`
    : f.type === 'area' ? html`<textarea ...${common} rows="4">${f.value ?? ''}</textarea>`
      : html`<input ...${common} type=${f.type ?? 'text'} defaultValue=${f.value ?? ''} spellcheck=${false} />`
  return html`
    <label class="field"><span>${f.label}</span>${input}${f.hint && html`<small id=${`${f.name}-hint`}>${f.hint}</small>`}</label>`
}
