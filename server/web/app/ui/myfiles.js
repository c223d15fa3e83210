import {html, useEffect, useState} from '../lib.js'
import {call, list} from '../state/api.js'
import {fileGone} from '../state/conversations.js'
import {tellError} from '../state/notice.js'
import {size} from './attachment.js'
import {Modal} from './modal.js'

/** @typedef {import('../types.d.ts').FileInfo} FileInfo */

/** Files on a page. */
const FILES = 50

/** The user's files, and how much of the quota they use. @param {{close: () => void}} props */
export function MyFiles({close}) {
  const [files, setFiles] = useState(/** @type {FileInfo[]} */ ([]))
  const [room, setRoom] = useState({used: 0, quota: 0, more: false, here: false})
  const load = async (/** @type {FileInfo[]} */ before) => {
    const {data, has_more, bytes_used, bytes_quota} = await list(`/api/files?limit=${FILES}&offset=${before.length}`)
    setFiles([...before, ...data])
    setRoom({used: bytes_used, quota: bytes_quota, more: has_more, here: true})
  }
  useEffect(() => { load([]).catch(tellError) }, [])
  const remove = async (/** @type {FileInfo} */ f) => {
    await call('DELETE', `/api/files/${f.id}`)
    fileGone(f.id)
    setFiles(files.filter(x => x !== f))
    setRoom({...room, used: room.used - f.size})
  }
  return html`
    <${Modal} title="Your files" close=${close}>
      <p class="quiet" role="status">${!room.here ? 'Loading…' : room.quota ? `${size(room.used)} of ${size(room.quota)} used` : `${size(room.used)} used`}</p>
      <ul class="members">
        ${files.map(f => html`<li key=${f.id} class="row">
          <span class="what"><span class="name">${f.name}</span><span class="preview">${size(f.size)}</span></span>
          <button type="button" aria-label=${`Delete ${f.name}`} onClick=${() => remove(f).catch(tellError)}>Delete</button>
        </li>`)}
      </ul>
      ${room.here && files.length === 0 && html`<p class="quiet">You have no files.</p>`}
      ${room.more && html`<div class="actions"><button type="button" onClick=${() => load(files).catch(tellError)}>More</button></div>`}
    <//>`
}
