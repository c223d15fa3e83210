import {html} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'
import {hash, refine, route} from '../state/route.js'
import {Filters} from './filters.js'
import {count, day} from './format.js'
import {Pager, Table, useList} from './list.js'

/** @typedef {import('../types.d.ts').Chat} Chat */

const SIZE = 50

/** All groups, without what is said in them. */
export function Chats() {
  const {title = '', page = '1'} = route.value.query
  const found = useList('/api/super-admin/chats', {page, page_size: SIZE, title})
  const remove = (/** @type {Chat} */ c) => ask({
    title: 'Delete the group', verb: 'Delete permanently', danger: true,
    text: `The group “${c.title}” (id ${c.id}, ${count(c.member_count)} members, ${count(c.last_seq)} messages) is deleted for all its members. This cannot be undone.`,
    act: async () => {
      await call('DELETE', `/api/super-admin/chats/${c.id}`)
      found.again()
      return `The group “${c.title}” was deleted.`
    },
  })
  return html`
    <h1>Chats</h1>
    <${Filters} filters=${[{name: 'title', label: 'Title begins with'}]} />
    <${Table} label="Groups" ...${found} items=${found.part?.items} none="No groups found." columns=${[
      {head: 'Title', wide: true, cell: (/** @type {Chat} */ c) => html`<span class="whole">${c.title}</span>`},
      {head: 'Id', number: true, cell: (/** @type {Chat} */ c) => c.id},
      {head: 'Owner', cell: (/** @type {Chat} */ c) => c.owner_id ? html`<a href=${hash(`users/${c.owner_id}`)}>User ${c.owner_id}</a>` : '–'},
      {head: 'Members', number: true, cell: (/** @type {Chat} */ c) => count(c.member_count)},
      {head: 'Messages', number: true, cell: (/** @type {Chat} */ c) => count(c.last_seq)},
      {head: 'Since', cell: (/** @type {Chat} */ c) => day(c.created_at)},
      {head: '', cell: (/** @type {Chat} */ c) => html`
        <div class="row-acts">
          <a class="button" href=${hash('messages', {chat_id: c.id})} aria-label=${`Messages: ${c.title}`}>Messages</a>
          <button type="button" class="danger" aria-label=${`Delete the group: ${c.title}`} onClick=${() => remove(c)}>Delete</button>
        </div>`},
    ]} />
    <${Pager} part=${found.part} size=${SIZE} go=${(/** @type {number} */ n) => refine({...route.peek().query, page: n})} />`
}
