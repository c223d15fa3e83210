// Starts the client: what is known follows the session, and the page follows
// what is known.
import {effect, html, render} from './lib.js'
import {current as call, hangUp} from './state/call.js'
import {byKey, forgetConversations, totalUnread} from './state/conversations.js'
import {forgetFiles} from './state/files.js'
import {restore} from './state/outbox.js'
import {forgetPeople, learn} from './state/people.js'
import {forgetRelations} from './state/relations.js'
import {go} from './state/route.js'
import {session} from './state/session.js'
import {connect, disconnect} from './state/socket.js'
import {forgetStaffNotices, restoreStaffNotices} from './state/staffnotices.js'
import {App} from './ui/app.js'

let inside = false

effect(() => {
  const now = session.value
  if (now && !inside) {
    inside = true
    learn(now.user)
    restore(byKey)
    restoreStaffNotices()
    connect()
  } else if (!now && inside) {
    inside = false
    hangUp()
    disconnect()
    forgetConversations()
    forgetPeople()
    forgetRelations()
    forgetFiles()
    forgetStaffNotices()
    go('')
  }
})

effect(() => {
  const n = session.value ? totalUnread.value : 0
  const ringing = call.value?.stage.value === 'incoming'
  document.title = (ringing ? 'Incoming call – ' : n > 0 ? `(${n}) ` : '') + 'Onemeter chat'
})

render(html`<${App} />`, document.body)
