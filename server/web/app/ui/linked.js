import {html} from '../lib.js'

const ADDRESS = /https?:\/\/[^\s<>"]+/gi

/** Where an address ends that a sentence goes on behind. */
function trimmed(/** @type {string} */ address) {
  let end = address.replace(/[.,;:!?'»”]+$/, '')
  if (end.endsWith(')') && !end.includes('(')) end = end.slice(0, -1)
  return end
}

/**
 * Text whose web addresses can be followed. Everything else stays text, whatever it looks like.
 * @param {{text: string}} props
 */
export function Linked({text}) {
  /** @type {unknown[]} */
  const parts = []
  let from = 0
  for (const {0: found, index} of text.matchAll(ADDRESS)) {
    const address = trimmed(found)
    if (!URL.canParse(address)) continue
    parts.push(text.slice(from, index), html`<a href=${address} target="_blank" rel="noopener noreferrer">${address}</a>`)
    from = index + address.length
  }
  parts.push(text.slice(from))
  return parts
}
