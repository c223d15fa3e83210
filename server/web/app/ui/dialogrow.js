import {html} from '../lib.js'
import {titleOf} from '../state/conversations.js'
import {nameOf, person} from '../state/people.js'
import {me} from '../state/session.js'
import {Avatar} from './avatar.js'
import {summary} from './summary.js'
import {Ticks} from './ticks.js'
import {shortly} from './time.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** A conversation in the list. @param {{c: Conversation, open: boolean}} props */
export function DialogRow({c, open}) {
  const title = titleOf(c)
  const online = c.peerId > 0 && c.peerId !== me.value.id && person(c.peerId).value.online
  const unread = c.unread.value
  return html`
    <li>
      <a class="row" href=${`#${c.key}`} aria-current=${open ? 'page' : undefined}>
        <${Avatar} name=${title} id=${c.peerId || c.target.chat_id} online=${online} />
        <span class="what">
          <span class="top"><span class="name">${title}</span><time>${shortly(c.activeAt.value)}</time></span>
          <span class="top">
            <span class="preview"><${Preview} c=${c} /></span>
            ${unread > 0 && html`<span class="badge">${unread > 999 ? '999+' : unread}<span class="hidden"> unread</span></span>`}
          </span>
        </span>
      </a>
    </li>`
}

/** The newest of a conversation in half a line. @param {{c: Conversation}} props */
function Preview({c}) {
  const [typist] = c.typing.value
  if (typist) return html`<em>${c.peerId ? '' : `${nameOf(person(typist).value)} is `}typing…</em>`
  const pending = c.pending.value.at(-1)
  if (pending) return html`<${Ticks} state=${pending.state === 'failed' ? 'failed' : 'waiting'} /> ${summary(pending)}`
  const m = c.newest.value
  if (!m) return c.peerId ? '' : 'The group was made'
  if (m.sender_id === me.value.id) return html`<${Ticks} c=${c} seq=${m.seq} /> ${summary(m)}`
  return c.peerId ? summary(m) : `${nameOf(person(m.sender_id).value)}: ${summary(m)}`
}
