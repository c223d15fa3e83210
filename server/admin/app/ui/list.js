import {html, useEffect, useState} from '../lib.js'
import {list} from '../state/api.js'
import {count} from './format.js'

/** @typedef {import('../types.d.ts').Part<any>} Part */
/** A column: what its head says, and what stands in it. @typedef {{head: string, cell: (item: any) => unknown, wide?: boolean, number?: boolean}} Column */

/**
 * Asks for a part of a list, again whenever what is asked for is another one, and
 * by again(). What was there stays until the answer comes.
 * @param {string} path
 * @param {Record<string, string | number>} query
 */
export function useList(path, query) {
  const [round, setRound] = useState(0)
  const [state, setState] = useState({part: /** @type {Part | null} */ (null), fault: '', busy: true})
  const asked = path + JSON.stringify(query)
  useEffect(() => {
    let late = false
    setState(s => ({...s, busy: true}))
    list(path, query).then(
      part => { if (!late) setState({part, fault: '', busy: false}) },
      e => { if (!late) setState({part: null, fault: e.message, busy: false}) },
    )
    return () => { late = true }
  }, [asked, round])
  return {...state, again: () => setRound(n => n + 1)}
}

/**
 * Asks for one thing.
 * @template T
 * @param {() => Promise<T>} get
 * @param {unknown[]} of what another answer belongs to
 */
export function useAnswer(get, of) {
  const [round, setRound] = useState(0)
  const [state, setState] = useState({data: /** @type {T | null} */ (null), fault: ''})
  useEffect(() => {
    let late = false
    get().then(
      data => { if (!late) setState({data, fault: ''}) },
      e => { if (!late) setState(s => ({...s, fault: e.message})) },
    )
    return () => { late = true }
  }, [...of, round])
  return {...state, again: () => setRound(n => n + 1)}
}

/**
 * A list as a table; on phones each row is a card.
 * @param {{label: string, columns: Column[], items: any[] | undefined, busy: boolean, fault: string, none: string}} props
 */
export function Table({label, columns, items, busy, fault, none}) {
  if (fault) return html`<p class="fault box" role="alert">${fault}</p>`
  if (!items) return html`<p class="quiet" role="status">${busy ? 'Loading…' : ''}</p>`
  if (items.length === 0) return html`<p class="quiet box" role="status">${none}</p>`
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${label}>
      <table aria-busy=${busy}>
        <thead><tr>${columns.map((c, i) => html`<th key=${i} scope="col" class=${c.number ? 'number' : ''}>${c.head || html`<span class="hidden">Acts</span>`}</th>`)}</tr></thead>
        <tbody>
          ${items.map((item, n) => html`
            <tr key=${item.id || item.user_id || n}>
              ${columns.map((c, i) => html`<td key=${i} data-head=${c.head} class=${[c.wide && 'wide', c.number && 'number', !c.head && 'acts'].filter(Boolean).join(' ')}><div>${c.cell(item)}</div></td>`)}
            </tr>`)}
        </tbody>
      </table>
    </div>`
}

/**
 * The way to other parts of a list that is counted.
 * @param {{part: Part | null, size: number, go: (page: number) => void}} props
 */
export function Pager({part, size, go}) {
  if (!part || part.items.length === 0 && part.offset === 0) return null
  const page = Math.floor(part.offset / size) + 1
  const to = part.offset + part.items.length
  return html`
    <div class="pager">
      <p role="status">${count(part.offset + 1)} to ${count(to)}${part.total !== undefined && ` of ${part.more_total ? 'more than ' : ''}${count(part.total)}`}</p>
      <button type="button" disabled=${page <= 1} onClick=${() => go(page - 1)}>Previous</button>
      <button type="button" disabled=${!part.more} onClick=${() => go(page + 1)}>Next</button>
    </div>`
}
