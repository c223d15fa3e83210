// What the page shows is in its address, so that Back works and a view can be
// sent to a colleague: #users?status=banned is a list, #users/42 one of it.
import {signal} from '../lib.js'

/** @typedef {{page: string, id: string, query: Record<string, string>}} Route */

/** @returns {Route} */
function read() {
  const [path, query] = location.hash.slice(1).split('?', 2)
  const [page, id = ''] = path.split('/', 2)
  return {page, id, query: Object.fromEntries(new URLSearchParams(query))}
}

/** @type {import('../types.d.ts').Signal<Route>} */
export const route = signal(read())

addEventListener('hashchange', () => { route.value = read() })

/** The address of a view. @param {string} path; @param {Record<string, string | number>} [query] what is empty is left out */
export function hash(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== '').map(([name, value]) => [name, String(value)])
  return `#${path}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`
}

/** Changes the query of the view that is shown, in place of the old one. */
export function refine(/** @type {Record<string, string | number>} */ query) {
  history.replaceState(null, '', hash(route.peek().page + (route.peek().id && `/${route.peek().id}`), query))
  route.value = read()
}
