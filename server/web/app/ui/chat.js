import {html, useEffect, useMemo, useState} from '../lib.js'
import {pageOf} from '../state/conversation.js'
import {loadMembers, titleOf} from '../state/conversations.js'
import {tellError} from '../state/notice.js'
import {sendFile} from '../state/outbox.js'
import {blocked, unblock} from '../state/relations.js'
import {sought} from '../state/route.js'
import {me} from '../state/session.js'
import {ChatHeader} from './chatheader.js'
import {Composer} from './composer.js'
import {FindBar} from './findbar.js'
import {GroupInfo} from './groupinfo.js'
import {MessageList} from './messagelist.js'
import {PersonInfo} from './personinfo.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** The open conversation. @param {{c: Conversation}} props */
export function Chat({c}) {
  const [box, setBox] = useState('') // what is open besides: find, or who is here
  const [shown, setShown] = useState({seq: 0}) // the message that was looked for; a new object each time
  useEffect(() => {
    void noteUnread(c)
    if (!c.peerId) loadMembers(c).catch(tellError)
  }, [])
  const wanted = sought.value
  useEffect(() => { if (wanted.seq && wanted.key === c.key) setShown({seq: wanted.seq}) }, [wanted])
  const show = useMemo(() => (/** @type {number} */ seq) => setShown({seq}), []) // one function: the list compares it
  const drop = (/** @type {DragEvent} */ e) => {
    e.preventDefault()
    for (const file of e.dataTransfer?.files ?? []) sendFile(c, file)
  }
  return html`
    <section class="chat" aria-label=${titleOf(c)} onDrop=${drop} onDragOver=${(/** @type {DragEvent} */ e) => e.preventDefault()}>
      <${ChatHeader} c=${c} find=${() => setBox('find')} info=${() => setBox('info')} />
      ${box === 'find' && html`<${FindBar} c=${c} show=${show} close=${() => { setBox(''); setShown({seq: 0}) }} />`}
      <${MessageList} c=${c} shown=${shown} show=${show} />
      ${blocked.value.has(c.peerId)
        ? html`<p class="composer">You have blocked this person. <button type="button" onClick=${() => unblock(c.peerId).catch(tellError)}>Unblock</button></p>`
        : html`<${Composer} c=${c} />`}
      ${box === 'info' && (c.peerId
        ? html`<${PersonInfo} id=${c.peerId} close=${() => setBox('')} />`
        : html`<${GroupInfo} c=${c} close=${() => setBox('')} />`)}
    </section>`
}

/** Marks where the unread messages begin, before they count as read. */
async function noteUnread(/** @type {Conversation} */ c) {
  let unread = c.unread.peek()
  c.unreadFrom = 0
  if (unread === 0) return
  await c.load(pageOf(c.last.peek()))
  for (const m of c.loaded()) {
    if (m.sender_id === me.peek().id) continue
    if (--unread === 0) {
      c.unreadFrom = m.seq
      c.changed.value++
      return
    }
  }
}
