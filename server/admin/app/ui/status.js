import {html} from '../lib.js'
import {time} from './format.js'

/** Whether an account may be used. @param {{account: import('../types.d.ts').Account}} props */
export function Status({account}) {
  const why = account.ban && `${account.ban.until ? `until ${time(account.ban.until)}` : 'permanently'}${account.ban.reason ? `: ${account.ban.reason}` : ''}`
  return html`<span class=${`tag ${account.status}`} title=${why}>${account.status}</span>`
}
