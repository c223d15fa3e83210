import {html, useEffect, useState} from '../lib.js'
import {list} from '../state/api.js'
import {keyOf, targetOf} from '../state/conversation.js'
import {byKey, titleOf} from '../state/conversations.js'
import {learn} from '../state/people.js'
import {sought} from '../state/route.js'
import {summary} from './summary.js'
import {shortly} from './time.js'

/** @typedef {import('../types.d.ts').Message} Message */

/** Shorter texts are in nearly every message, but of Chinese, Japanese and Korean. */
const searchable = (/** @type {string} */ q) => q.length > 2 || /[^\x00-\u2e7f]/.test(q)

/** Messages that a search finds, in all conversations. @param {{q: string}} props */
export function FoundMessages({q}) {
  const [found, setFound] = useState(/** @type {Message[]} */ ([]))
  const [next, setNext] = useState(0) // the id before which to go on; 0: all was searched
  const [fault, setFault] = useState('')
  const search = async (/** @type {Message[]} */ before, /** @type {number} */ id, /** @type {() => boolean} */ late) => {
    try {
      const {data, next_before_id} = await list(`/api/messages/search?limit=20&q=${encodeURIComponent(q)}&before_id=${id}`)
      if (late()) return
      data.forEach((/** @type {Message} */ m) => learn(m.sender))
      setFound([...before, ...data])
      setNext(next_before_id ?? 0)
      setFault('')
    } catch (e) {
      if (!late()) setFault(/** @type {Error} */ (e).message)
    }
  }
  useEffect(() => {
    if (!searchable(q)) return
    let late = false
    const timer = setTimeout(() => search([], 0, () => late), 300)
    return () => { late = true; clearTimeout(timer) }
  }, [q])
  if (found.length === 0 && !next && !fault) return null
  return html`
    <h2>Messages</h2>
    <ul>${found.map(m => html`<${Row} key=${m.id} m=${m} />`)}</ul>
    ${fault && html`<p class="empty" role="status">${fault}</p>`}
    ${next > 0 && html`<div class="empty"><button type="button" onClick=${() => search(found, next, () => false)}>Search further back</button></div>`}`
}

/** A message, and where it is. @param {{m: Message}} props */
function Row({m}) {
  const key = keyOf(targetOf(m))
  return html`
    <li><a class="row" href=${`#${key}`} onClick=${() => { sought.value = {key, seq: m.seq} }}>
      <span class="what">
        <span class="top"><span class="name">${titleOf(byKey(key))}</span><time>${shortly(Date.parse(m.created_at))}</time></span>
        <span class="preview">${summary(m)}</span>
      </span>
    </a></li>`
}
