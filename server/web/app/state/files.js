// Files that were sent: what they are, and their bytes as addresses that only
// this page can open.
import {call, download} from './api.js'

/** @typedef {import('../types.d.ts').FileInfo} FileInfo */

/** @type {Map<number, Promise<FileInfo>>} */
const infos = new Map()
/** @type {Map<number, Promise<string>>} */
const urls = new Map()

/** Files that are kept in memory; older ones are loaded again when they are looked at. */
const KEPT = 60

/**
 * Remembers what get promises, unless it fails.
 * @template T
 * @param {Map<number, Promise<T>>} map
 * @param {number} id
 * @param {() => Promise<T>} get
 */
function remember(map, id, get) {
  let p = map.get(id)
  if (!p) {
    p = get()
    map.set(id, p)
    p.catch(() => map.delete(id))
  }
  return p
}

/** @returns {Promise<FileInfo>} */
export function fileInfo(/** @type {number} */ id) {
  return remember(infos, id, () => call('GET', `/api/files/${id}`))
}

/** @returns {Promise<string>} */
export function fileURL(/** @type {number} */ id) {
  const url = remember(urls, id, async () => URL.createObjectURL(await download(id)))
  if (urls.size > KEPT) release(/** @type {number} */ (urls.keys().next().value))
  return url
}

/** Keeps a file that I have uploaded myself. */
export function keep(/** @type {FileInfo} */ info, /** @type {File} */ file) {
  infos.set(info.id, Promise.resolve(info))
  urls.set(info.id, Promise.resolve(URL.createObjectURL(file)))
}

function release(/** @type {number} */ id) {
  urls.get(id)?.then(URL.revokeObjectURL, () => {})
  urls.delete(id)
}

export function forgetFiles() {
  for (const id of urls.keys()) release(id)
  infos.clear()
}

/** Saves a file under its name. */
export async function save(/** @type {FileInfo} */ info) {
  const link = document.createElement('a')
  link.href = await fileURL(info.id)
  link.download = info.name
  link.click()
}
