import {html} from '../lib.js'
import {call} from '../state/api.js'
import {ask} from '../state/asking.js'

/** The button that sends a notice to everybody. */
export function Broadcast() {
  const open = () => ask({
    title: 'Tell everybody', verb: 'Send to everybody', danger: true,
    text: 'Everybody who is online gets it at once, and the others when they next connect. This cannot be undone.',
    fields: [{name: 'message', label: 'Message', type: 'area', required: true, most: 1000}],
    act: async ({message}) => {
      await call('POST', '/api/super-admin/broadcast', {message})
      return 'The message was sent. Users who are offline get it when they connect.'
    },
  })
  return html`<button type="button" onClick=${open}>Tell everybody…</button>`
}
