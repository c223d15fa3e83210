import {html, useEffect, useRef} from '../lib.js'
import {Close} from './icons.js'
import {Notice} from './notice.js'

/**
 * A box above the page. The browser keeps the focus in it, and gives it back. The page behind it is dim and not read out,
 * so what is told meanwhile stands in the box, too.
 * @param {{title: string, close: () => void, wide?: boolean, children?: unknown}} props
 */
export function Modal({title, close, wide, children}) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null))
  useEffect(() => box.current?.showModal(), [])
  const outside = (/** @type {MouseEvent} */ e) => { if (e.target === box.current) close() }
  return html`
    <dialog ref=${box} class=${wide ? 'modal wide' : 'modal'} aria-label=${title} onClose=${close} onClick=${outside}>
      <header>
        <h2>${title}</h2>
        <button type="button" class="round" aria-label="Close" onClick=${close}><${Close} /></button>
      </header>
      ${children}
      <${Notice} />
    </dialog>`
}
