import {html} from '../lib.js'
import {notice} from '../state/notice.js'

/** The line at the foot of the page; read out by screen readers. */
export function Notice() {
  return html`<div class="notice" role="status">${notice.value && html`<p>${notice.value}</p>`}</div>`
}
