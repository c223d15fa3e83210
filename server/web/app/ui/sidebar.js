import {html, useEffect, useState} from '../lib.js'
import {conversations, listed, listFailure, loadDialogs, titleOf} from '../state/conversations.js'
import {nameOf, person} from '../state/people.js'
import {requests} from '../state/relations.js'
import {route} from '../state/route.js'
import {me} from '../state/session.js'
import {away} from '../state/socket.js'
import {Account} from './account.js'
import {Avatar} from './avatar.js'
import {DialogRow} from './dialogrow.js'
import {NewGroup} from './newgroup.js'
import {FoundMessages} from './foundmessages.js'
import {Found, usePeople} from './people.js'
import {Requests} from './requests.js'
import {Close, NewGroup as NewGroupIcon, Search} from './icons.js'

/** The list of conversations, and the search above it. */
export function Sidebar() {
  const [q, setQ] = useState('')
  const [box, setBox] = useState('')
  const my = nameOf({...person(me.value.id).value, ...me.value})
  const keys = (/** @type {KeyboardEvent} */ e) => {
    if (e.key === 'ArrowDown') document.querySelector('nav')?.querySelector('a')?.focus()
    else if (e.key === 'Escape' && q) setQ('')
    else return
    e.preventDefault()
  }
  useEffect(() => setQ(''), [route.value]) // the search has led to a conversation
  return html`
    <div class="sidebar">
      <header>
        <h1 class="hidden">Onemeter chat</h1>
        <button type="button" class="account" onClick=${() => setBox('account')}>
          <${Avatar} name=${my} id=${me.value.id} /><span class="name"><span class="hidden">Your account: </span>${my}</span>
        </button>
        <button type="button" class="round" aria-label="New group" title="New group" onClick=${() => setBox('group')}><${NewGroupIcon} /></button>
      </header>
      <div class="searchbox" role="search">
        <${Search} />
        <input id="search" type="text" autocomplete="off" spellcheck=${false} placeholder="Name, phone or text"
          aria-label="Search people, conversations and messages" value=${q} onInput=${(/** @type {any} */ e) => setQ(e.currentTarget.value)}
          onKeyDown=${keys} />
        ${q && html`<button type="button" class="round small" aria-label="Clear the search" onClick=${() => setQ('')}><${Close} /></button>`}
      </div>
      <p class="connection" role="status">${away.value && 'No connection. Your messages are sent when it is back.'}</p>
      ${requests.value.length > 0 && html`<button type="button" class="requests" onClick=${() => setBox('requests')}>
        Requests from strangers <span class="badge">${requests.value.length}</span></button>`}
      <nav aria-label="Conversations" onKeyDown=${arrows}>
        ${q.trim() ? html`<${Results} q=${q.trim()} />` : html`<${List} />`}
      </nav>
      ${box === 'account' && html`<${Account} close=${() => setBox('')} />`}
      ${box === 'requests' && html`<${Requests} close=${() => setBox('')} />`}
      ${box === 'group' && html`<${NewGroup} close=${() => setBox('')} />`}
    </div>`
}

function List() {
  const list = conversations.value
  if (list.length > 0) return html`<ul>${list.map(c => html`<${DialogRow} key=${c.key} c=${c} open=${c.key === route.value} />`)}</ul>`
  if (listFailure.value) return html`<div class="empty"><p>${listFailure.value}</p><button type="button" onClick=${loadDialogs}>Try again</button></div>`
  if (!listed.value) return html`<div class="empty" aria-busy="true"><p>Loading…</p></div>`
  return html`<div class="empty">
    <p>No conversations yet.</p>
    <p class="quiet">Search for somebody by name, username or phone, and send a message.</p>
  </div>`
}

/** Conversations and people that a search finds. @param {{q: string}} props */
function Results({q}) {
  const {people, fault} = usePeople(q)
  const small = q.toLowerCase()
  const mine = conversations.value.filter(c => titleOf(c).toLowerCase().includes(small))
  const others = people.filter(p => !mine.some(c => c.peerId === p.id))
  return html`
    ${mine.length > 0 && html`<h2>Conversations</h2><ul>${mine.map(c => html`<${DialogRow} key=${c.key} c=${c} open=${c.key === route.value} />`)}</ul>`}
    ${others.length > 0 && html`<h2>People</h2><ul>${others.map(p => html`<li key=${p.id}><a class="row" href=${`#u${p.id}`}><${Found} user=${p} /></a></li>`)}</ul>`}
    ${mine.length + others.length === 0 && html`<div class="empty" role="status"><p>${fault || `No results for “${q}”.`}</p>
      <p class="quiet">To find a phone number, enter all its digits.</p></div>`}
    <${FoundMessages} key=${q} q=${q} />`
}

/** Up and Down go from row to row. */
function arrows(/** @type {KeyboardEvent} */ e) {
  const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0
  if (!step) return
  const rows = [.../** @type {HTMLElement} */ (e.currentTarget).querySelectorAll('a')]
  rows[rows.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement)) + step]?.focus()
  e.preventDefault()
}
