import {html, useEffect, useRef, useState} from '../lib.js'
import {loadBack} from '../state/conversations.js'
import {Close, Down, Up} from './icons.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */

/** Pages that are loaded at a time. */
const FURTHER = 10

/** Finds text in the messages that are loaded, and loads more on demand. @param {{c: Conversation, show: (seq: number) => void, close: () => void}} props */
export function FindBar({c, show, close}) {
  const [q, setQ] = useState('')
  const [at, setAt] = useState(0)
  const [busy, setBusy] = useState(false)
  const field = useRef(/** @type {HTMLInputElement | null} */ (null))
  useEffect(() => field.current?.focus(), [])
  const hits = find(c, q.trim().toLowerCase())
  useEffect(() => { if (hits.length > 0) show(hits[Math.min(at, hits.length - 1)]) }, [q, at, busy])
  const step = (/** @type {number} */ by) => setAt((at + by + hits.length) % Math.max(1, hits.length))
  const further = async () => {
    setBusy(true)
    await loadBack(c, FURTHER)
    setBusy(false)
  }
  const key = (/** @type {KeyboardEvent} */ e) => {
    if (e.key === 'Enter') { e.preventDefault(); step(e.shiftKey ? -1 : 1) }
    if (e.key === 'Escape') { e.preventDefault(); close() }
  }
  const loaded = [...c.loaded()].length
  const said = !q.trim() ? '' : hits.length > 0 ? `${Math.min(at, hits.length - 1) + 1} of ${hits.length}` : 'No results'
  return html`
    <div class="findbar" role="search" onKeyDown=${key}>
      <input type="text" ref=${field} value=${q} placeholder="Find in this conversation" aria-label="Find in this conversation" autocomplete="off"
        onInput=${(/** @type {any} */ e) => { setQ(e.currentTarget.value); setAt(0) }} />
      <span class="quiet" role="status">${said}</span>
      <button type="button" class="round small" aria-label="Older" disabled=${hits.length < 2} onClick=${() => step(1)}><${Up} /></button>
      <button type="button" class="round small" aria-label="Newer" disabled=${hits.length < 2} onClick=${() => step(-1)}><${Down} /></button>
      <button type="button" class="round small" aria-label="Close the search" onClick=${close}><${Close} /></button>
      ${q.trim() && loaded < c.last.value && html`<p class="quiet further">Searched ${loaded} of ${c.last.value} messages.
        <button type="button" class="link" disabled=${busy} onClick=${further}>Search further back</button></p>`}
    </div>`
}

/** The seqs of messages with a text, the newest first. @param {Conversation} c; @param {string} q */
function find(c, q) {
  if (!q) return []
  return [...c.loaded()].filter(m => m.content.toLowerCase().includes(q)).map(m => m.seq)
}
