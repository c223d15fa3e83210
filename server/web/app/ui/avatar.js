import {html} from '../lib.js'

const TINTS = 8

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/)
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]]
  return letters.map(w => [...w][0] ?? '').join('').toUpperCase()
}

/**
 * A disc with the initials of a name, in a colour that stays with the id.
 * @param {{name: string, id: number, online?: boolean, large?: boolean}} props
 */
export function Avatar({name, id, online, large}) {
  return html`
    <span class=${`avatar tint${id % TINTS}${large ? ' large' : ''}`} aria-hidden="true">
      ${initials(name)}${online && html`<span class="dot"></span>`}
    </span>`
}
