import {html} from '../lib.js'
import {current, dial} from '../state/call.js'
import {titleOf} from '../state/conversations.js'
import {nameOf, person} from '../state/people.js'
import {go} from '../state/route.js'
import {me} from '../state/session.js'
import {away} from '../state/socket.js'
import {Avatar} from './avatar.js'
import {Back, People, Phone, Search, Video} from './icons.js'
import {shortly} from './time.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** The other user or the group, and what the user can do. @param {{c: Conversation, find: () => void, info: () => void}} props */
export function ChatHeader({c, find, info}) {
  const title = titleOf(c)
  const other = c.peerId > 0 && c.peerId !== me.value.id
  const button = (/** @type {string} */ label, /** @type {unknown} */ Icon, /** @type {() => void} */ act, off = false) =>
    html`<button type="button" class="round" aria-label=${label} title=${label} disabled=${off} onClick=${act}><${Icon} /></button>`
  const calling = !!current.value && current.value.stage.value !== 'ended'
  return html`
    <header>
      <button type="button" class="round back" aria-label="Back to the list" onClick=${() => go('')}><${Back} /></button>
      <${Avatar} name=${title} id=${c.peerId || c.target.chat_id} online=${other && person(c.peerId).value.online} />
      <div class="what">
        <h2>${title}</h2>
        <p class="state"><${Standing} c=${c} /></p>
      </div>
      ${button('Find in this conversation', Search, find)}
      ${other && button('Call', Phone, () => dial(c.peerId, false), calling)}
      ${other && button('Video call', Video, () => dial(c.peerId, true), calling)}
      ${!c.peerId && button('Members', People, info)}
      ${other && button('About this person', People, info)}
    </header>`
}

/** Typing, online, last seen, or the number of members. @param {{c: Conversation}} props */
function Standing({c}) {
  if (away.value) return 'no connection'
  const typing = c.typing.value
  if (typing.length > 1) return `${typing.length} people are typing…`
  if (typing.length === 1) return c.peerId ? 'typing…' : `${nameOf(person(typing[0]).value)} is typing…`
  if (!c.peerId) return c.members.value === 1 ? '1 member' : `${c.members.value} members`
  if (c.peerId === me.value.id) return 'Only you can see this'
  const {online, last_seen} = person(c.peerId).value
  if (online) return 'online'
  return last_seen && Date.parse(last_seen) > 0 ? `last seen ${shortly(Date.parse(last_seen))}` : 'offline'
}
