import {html, useEffect, useState} from '../lib.js'
import {fileInfo, fileURL, save} from '../state/files.js'
import {tellError} from '../state/notice.js'
import {Document, Download} from './icons.js'
import {Modal} from './modal.js'

/** @typedef {import('../types.d.ts').FileInfo} FileInfo */
/** @typedef {import('../types.d.ts').MessageType} MessageType */

/** Larger pictures are shown when somebody asks for them. */
const PREVIEW = 8 << 20

const UNITS = ['bytes', 'KB', 'MB', 'GB']

/** A size as people read it. @param {number} bytes */
export function size(bytes) {
  let unit = 0
  while (bytes >= 1000 && unit < UNITS.length - 1) { bytes /= 1000; unit++ }
  return `${unit === 0 || bytes >= 10 ? Math.round(bytes) : bytes.toFixed(1)} ${UNITS[unit]}`
}

/** The file of a message: a picture is shown, sound and video can be played, anything can be saved. @param {{id: number, type: MessageType}} props */
export function Attachment({id, type}) {
  const [info, setInfo] = useState(/** @type {FileInfo | null} */ (null))
  const [url, setURL] = useState('')
  const [fault, setFault] = useState('')
  const [open, setOpen] = useState(false)
  const show = () => fileURL(id).then(setURL, e => setFault(e.message))
  useEffect(() => {
    fileInfo(id).then(f => {
      setInfo(f)
      if (type === 'image' && f.size <= PREVIEW) void show()
    }, e => setFault(e.message))
  }, [id])
  if (fault) return html`<div class="filebox">${fault}</div>`
  if (type === 'image' && (url || !info || info.size <= PREVIEW)) {
    const name = info?.name ?? 'Picture'
    return html`
      <button type="button" class="picture" aria-label=${`Open ${name}`} onClick=${() => setOpen(true)}>
        ${url && html`<img src=${url} alt=${name} onError=${() => setFault('This picture cannot be shown.')} />`}
      </button>
      ${open && info && html`<${Modal} title=${name} wide close=${() => setOpen(false)}>
        <img class="whole" src=${url} alt=${name} />
        <div class="actions"><button type="button" onClick=${() => save(info).catch(tellError)}>Save</button></div>
      <//>`}`
  }
  const plays = type === 'video' || type === 'audio'
  return html`
    ${url && type === 'video' && html`<video class="player" src=${url} controls playsInline></video>`}
    ${url && type === 'audio' && html`<audio class="player" src=${url} controls></audio>`}
    <div class="filebox">
      <${Document} />
      <span class="what"><span class="name">${info?.name ?? '…'}</span><small>${info && size(info.size)}</small></span>
      ${(plays || type === 'image') && !url && html`<button type="button" onClick=${show}>${plays ? 'Play' : 'Show'}</button>`}
      <button type="button" class="round small" aria-label=${`Save ${info?.name ?? 'the file'}`} disabled=${!info}
        onClick=${() => info && save(info).catch(tellError)}><${Download} /></button>
    </div>`
}
