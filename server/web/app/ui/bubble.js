import {Component, html} from '../lib.js'
import {nameOf, person} from '../state/people.js'
import {Attachment} from './attachment.js'
import {Avatar} from './avatar.js'
import {changed} from './changed.js'
import {More} from './icons.js'
import {Linked} from './linked.js'
import {summary} from './summary.js'
import {Ticks} from './ticks.js'
import {timeOf} from './time.js'

/** @typedef {import('../types.d.ts').Message} Message */
/**
 * @typedef {object} Props
 * @property {import('../state/conversation.js').Conversation} c
 * @property {Message} m
 * @property {boolean} mine
 * @property {boolean} goesOn whether the previous message has the same sender
 * @property {boolean} shown whether it is the result of a search
 * @property {boolean} delivered
 * @property {boolean} read
 * @property {(seq: number) => void} show
 * @property {(m: Message) => void} menu
 */

/** One message. @extends {Component<Props>} */
export class Bubble extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) { return changed(this.props, next) }

  /** @param {Props} props */
  render({c, m, mine, goesOn, shown, delivered, read, show, menu}) {
    const gone = m.is_recalled || m.is_deleted
    const group = !c.peerId && !mine
    const kind = ['message', mine && 'mine', goesOn && 'goeson', gone && 'gone', shown && 'shown'].filter(Boolean).join(' ')
    return html`
      <div class=${kind} data-seq=${m.seq}>
        ${group && (goesOn ? html`<span class="indent"></span>` : html`<${Face} id=${m.sender_id} />`)}
        <div class="bubble">
          ${group && !goesOn && html`<p class="sender"><${Name} id=${m.sender_id} /></p>`}
          ${!!m.reply_to_id && !gone && html`<${Quote} c=${c} id=${m.reply_to_id} show=${show} />`}
          ${!!m.file_id && !gone && (m.file_gone ? html`<div class="filebox">The file was deleted.</div>` : html`<${Attachment} id=${m.file_id} type=${m.message_type} />`)}
          ${gone ? html`<p class="text">${summary(m)}</p>` : m.content && html`<p class="text"><${Linked} text=${m.content} /></p>`}
          <span class="foot">
            ${m.is_edited && !gone && 'edited '}<time dateTime=${m.created_at}>${timeOf(m.created_at)}</time>
            ${mine && html` <${Ticks} state=${read ? 'read' : delivered ? 'delivered' : 'sent'} />`}
          </span>
        </div>
        ${!gone && html`<button type="button" class="round small more" aria-label="Message menu" onClick=${() => menu(m)}><${More} /></button>`}
      </div>`
  }
}

/** @param {{id: number}} props */
const Name = ({id}) => nameOf(person(id).value)

/** @param {{id: number}} props */
const Face = ({id}) => html`<${Avatar} name=${nameOf(person(id).value)} id=${id} />`

/** The message that this one replies to, if it is loaded. @param {{c: import('../state/conversation.js').Conversation, id: number, show: (seq: number) => void}} props */
function Quote({c, id, show}) {
  const m = c.get(c.seqs.get(id) ?? 0)
  if (!m) return html`<p class="quote">An earlier message</p>`
  return html`<button type="button" class="quote" onClick=${() => show(m.seq)}><b><${Name} id=${m.sender_id} /></b> ${summary(m)}</button>`
}
