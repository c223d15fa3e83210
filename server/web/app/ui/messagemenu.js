import {html, useState} from '../lib.js'
import {call} from '../state/api.js'
import {tell, tellError} from '../state/notice.js'
import {me} from '../state/session.js'
import {Modal} from './modal.js'
import {Receipts} from './receipts.js'
import {summary} from './summary.js'

/** @typedef {import('../types.d.ts').Message} Message */

/** The menu of a message. @param {{c: import('../state/conversation.js').Conversation, m: Message, close: () => void}} props */
export function MessageMenu({c, m, close}) {
  const [receipts, setReceipts] = useState(false)
  const mine = m.sender_id === me.value.id
  const entry = (/** @type {string} */ label, /** @type {() => unknown} */ act) =>
    html`<li><button type="button" onClick=${() => { close(); act() }}>${label}</button></li>`
  const recall = () => call('POST', `/api/messages/${m.id}/recall`).then(now => c.change(m.seq, now), tellError)
  const remove = (/** @type {'me' | 'all'} */ who) =>
    call('DELETE', `/api/messages/${m.id}?for=${who}`).then(now => c.change(m.seq, now), tellError)
  const copy = () => navigator.clipboard.writeText(m.content).then(() => tell('Copied.'), () => tell('The browser does not allow this. Select the text and copy it.'))
  if (receipts) return html`<${Receipts} m=${m} close=${close} />`
  return html`
    <${Modal} title="Message" close=${close}>
      <p class="quiet cut">${summary(m)}</p>
      <ul class="menu">
        ${entry('Reply', () => { c.about.value = {reply: m} })}
        ${m.content && entry('Copy text', copy)}
        ${mine && m.message_type === 'text' && entry('Edit', () => { c.about.value = {edit: m} })}
        ${!c.peerId && html`<li><button type="button" onClick=${() => setReceipts(true)}>Who has read it</button></li>`}
        ${mine && entry('Recall', recall)}
        ${entry('Delete for me', () => remove('me'))}
        ${mine && entry('Delete for everyone', () => remove('all'))}
      </ul>
    <//>`
}
