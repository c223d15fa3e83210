import {html} from '../lib.js'
import {away, nodes} from '../state/nodes.js'

/** Says which servers do not answer. */
export function Away() {
  const down = nodes.value.filter(n => !n.up)
  if (!away.value && down.length === 0) return null
  return html`
    <div class="away" role="alert">
      ${away.value ? html`<p>The console cannot be reached. What you see may be old.</p>`
        : down.map(n => html`<p key=${n.name}><strong>${n.name}</strong> does not answer${n.why && `: ${n.why}`}</p>`)}
      ${!away.value && down.length === nodes.value.length && html`<p>No server answers. The console tries again every few seconds.</p>`}
    </div>`
}
