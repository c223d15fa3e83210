import {html} from '../lib.js'
import {discard, retry} from '../state/outbox.js'
import {Document} from './icons.js'
import {Linked} from './linked.js'
import {Ticks} from './ticks.js'
import {timeOf} from './time.js'

/** @typedef {import('../types.d.ts').Pending} Pending */

/** A message that is not sent yet. @param {{c: import('../state/conversation.js').Conversation, p: Pending}} props */
export function PendingBubble({c, p}) {
  const failed = p.state === 'failed'
  return html`
    <div class=${`message mine pending${failed ? ' failed' : ''}`}>
      <div class="bubble">
        ${p.message_type !== 'text' && html`<div class="filebox"><${Document} />
          <span class="name">${p.file?.name ?? 'File'}</span>
          ${p.state === 'uploading' && html`<progress max="1" value=${p.progress} aria-label="Uploaded"></progress>`}</div>`}
        ${p.content && html`<p class="text"><${Linked} text=${p.content} /></p>`}
        <span class="foot"><time dateTime=${p.created_at}>${timeOf(p.created_at)}</time> <${Ticks} state=${failed ? 'failed' : 'waiting'} /></span>
        ${failed && html`<div class="why" role="alert"><p>Not sent: ${p.why}</p>
          <button type="button" onClick=${() => retry(c, p)}>Try again</button>
          <button type="button" onClick=${() => discard(c, p.client_msg_id)}>Discard</button></div>`}
      </div>
    </div>`
}
