import {html, useEffect, useRef, useState} from '../lib.js'
import {call} from '../state/api.js'
import {titleOf} from '../state/conversations.js'
import {tellError} from '../state/notice.js'
import {send, sendFile} from '../state/outbox.js'
import {send as sendFrame} from '../state/socket.js'
import {Attach, Close, Send} from './icons.js'
import {summary} from './summary.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** The most bytes of a message. */
const LIMIT = 64 << 10
/** How often typing is sent, and how long after the last key its end. */
const TELL = 3000, STOP = 4000

/** The field for a new message. @param {{c: Conversation}} props */
export function Composer({c}) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null))
  const files = useRef(/** @type {HTMLInputElement | null} */ (null))
  const [text, setText] = useState(c.written)
  const typing = useTyping(c)
  const {edit, reply} = c.about.value
  const write = (/** @type {string} */ s) => { c.written = s; setText(s) }
  // A telephone's keyboard would cover half of the conversation at once.
  const touch = matchMedia('(pointer: coarse)').matches
  useEffect(() => { if (!touch) area.current?.focus() }, [])
  useEffect(() => {
    if (edit) write(edit.content)
    if (edit || reply) area.current?.focus()
  }, [edit, reply])
  useEffect(() => grow(area.current), [text])
  const about = () => {
    if (edit) write('')
    c.about.value = {}
  }
  const submit = () => {
    const content = text.trim()
    if (!content) return
    if (new TextEncoder().encode(content).length > LIMIT) return tellError('This is too long for one message. Send it in parts, or as a file.')
    typing(false)
    if (edit) {
      call('PUT', `/api/messages/${edit.id}`, {content}).then(m => { c.change(m.seq, m); about() }, tellError)
      return
    }
    send(c, {content, message_type: 'text', reply_to_id: reply?.id})
    write('')
    c.about.value = {}
    area.current?.focus()
  }
  const key = (/** @type {KeyboardEvent} */ e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && !touch) {
      e.preventDefault()
      submit()
    } else if (e.key === 'Escape' && (edit || reply)) {
      e.preventDefault()
      about()
    }
  }
  const attach = (/** @type {Iterable<File>} */ list) => { for (const f of list) sendFile(c, f) }
  const paste = (/** @type {ClipboardEvent} */ e) => {
    const pasted = e.clipboardData?.files ?? []
    if (pasted.length > 0) { e.preventDefault(); attach(pasted) }
  }
  return html`
    <form class="composer" onSubmit=${(/** @type {SubmitEvent} */ e) => { e.preventDefault(); submit() }}>
      ${(edit || reply) && html`<div class="about"><p><b>${edit ? 'Editing' : 'Reply to'}</b> ${summary(/** @type {any} */ (edit ?? reply))}</p>
        <button type="button" class="round small" aria-label="Cancel" onClick=${about}><${Close} /></button></div>`}
      <input type="file" multiple hidden ref=${files} onChange=${(/** @type {any} */ e) => { attach([...e.currentTarget.files]); e.currentTarget.value = '' }} />
      <button type="button" class="round" aria-label="Send files" title="Send files" onClick=${() => files.current?.click()}><${Attach} /></button>
      <textarea ref=${area} rows="1" value=${text} placeholder="Message" aria-label=${`Message to ${titleOf(c)}`} onKeyDown=${key} onPaste=${paste}
        onInput=${(/** @type {any} */ e) => { write(e.currentTarget.value); typing(e.currentTarget.value.trim() !== '' && !edit) }}></textarea>
      <button class="round send" aria-label=${edit ? 'Save the change' : 'Send'} disabled=${!text.trim()}><${Send} /></button>
    </form>`
}

/** Makes the field as high as its text, within what its style allows. */
function grow(/** @type {HTMLElement | null} */ el) {
  if (!el) return
  el.style.height = 'auto'
  el.style.height = `${el.scrollHeight + 2}px`
}

/** Sends that the user is typing, or has stopped. @param {Conversation} c */
function useTyping(c) {
  const told = useRef(0)
  const stop = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined))
  const tell = (/** @type {boolean} */ on) => {
    clearTimeout(stop.current)
    if (on) stop.current = setTimeout(() => tell(false), STOP)
    if (on ? Date.now() - told.current < TELL : told.current === 0) return
    told.current = on ? Date.now() : 0
    sendFrame('typing', {...c.target, is_typing: on})
  }
  useEffect(() => () => tell(false), [])
  return tell
}
