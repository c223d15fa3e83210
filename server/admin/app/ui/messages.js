import {html} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {hash, route} from '../state/route.js'
import {Filters} from './filters.js'
import {nameOf, time} from './format.js'
import {Table, useList} from './list.js'

/** @typedef {import('../types.d.ts').Message} Message */

const SIZE = 50

/** Other people's messages, for moderation. Each look is in the audit log. */
export function Messages() {
  const {chat_id = '', user_id = '', before_id = ''} = route.value.query
  const asked = Boolean(chat_id || user_id)
  return html`
    <h1>Messages</h1>
    <p class="quiet">For moderation, if the operator allows it. The audit log records each time somebody reads messages.</p>
    <${Filters} filters=${[{name: 'chat_id', label: 'Group id', type: 'number', most: 19}, {name: 'user_id', label: 'Sender’s id', type: 'number', most: 19}]} />
    ${asked ? html`<${Found} key=${`${chat_id} ${user_id} ${before_id}`} query=${{chat_id, user_id, before_id}} />`
      : html`<p class="quiet box">Enter the id of a group or of a sender, or come here from a chat or a user.</p>`}`
}

/** @param {{query: Record<string, string>}} props */
function Found({query}) {
  const found = useList('/api/super-admin/messages', {...query, limit: SIZE})
  const items = /** @type {Message[] | undefined} */ (found.part?.items)
  const gone = (/** @type {Message} */ m) => m.is_recalled || m.is_deleted
  const remove = (/** @type {Message} */ m) => ask({
    title: 'Delete the message', verb: 'Delete', danger: true,
    text: `Message ${m.id} of ${nameOf(m.sender)} is deleted for everybody: “${m.content.slice(0, 200)}”`,
    act: async () => {
      await call('DELETE', `/api/super-admin/messages/${m.id}`)
      found.again()
      return `Message ${m.id} was deleted.`
    },
  })
  return html`
    <${Table} label="Messages" ...${found} items=${items} none=${found.part?.more ? 'No messages so far. Choose Older to continue.' : 'No messages.'} columns=${[
      {head: 'Time', cell: (/** @type {Message} */ m) => time(m.created_at)},
      {head: 'Sender', cell: (/** @type {Message} */ m) => html`<a href=${hash(`users/${m.sender_id}`)}>${m.sender ? nameOf(m.sender) : `User ${m.sender_id}`}</a>`},
      {head: 'To', cell: (/** @type {Message} */ m) => m.chat_id ? `group ${m.chat_id}` : html`<a href=${hash(`users/${m.receiver_id}`)}>user ${m.receiver_id}</a>`},
      {head: 'Message', wide: true, cell: (/** @type {Message} */ m) => gone(m) ? html`<em class="quiet">${m.is_recalled ? 'recalled' : 'deleted'}</em>`
        : html`<span class="whole">${m.message_type !== 'text' && html`<small>${m.message_type} </small>`}${m.content}</span>`},
      {head: '', cell: (/** @type {Message} */ m) => !gone(m) && html`<button type="button" class="danger" aria-label=${`Delete message ${m.id}`} onClick=${() => remove(m)}>Delete</button>`},
    ]} />
    <div class="pager">
      ${query.before_id && html`<a class="button" href=${hash('messages', {...query, before_id: ''})}>Newest</a>`}
      ${found.part?.next && html`<a class="button" href=${hash('messages', {...query, before_id: found.part.next})}>Older</a>`}
    </div>`
}
