// What the page shows is in its address, so that Back works: #u7 is the
// conversation with user 7, #c7 group 7, nothing the list.
import {signal} from '../lib.js'

const read = () => /^#[uc][1-9]\d*$/.test(location.hash) ? location.hash.slice(1) : ''

/** The key of the conversation that is open; empty: none. */
export const route = signal(read())

addEventListener('hashchange', () => { route.value = read() })

/** A message that was looked for elsewhere; a new object each time. */
export const sought = signal({key: '', seq: 0})

/** Opens a conversation, by its key. */
export function go(/** @type {string} */ key) {
  if (key) location.hash = key
  else history.replaceState(null, '', location.pathname)
  route.value = read()
}
