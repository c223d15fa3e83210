import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {useAnswer} from './list.js'

/** @typedef {import('../types.d.ts').Alert} Alert */

const EVERY = 15_000

/** The runbook: a paragraph for each alert. It comes with the page's own files. */
const runbook = async () => /** @type {Record<string, string>} */ (await (await fetch(new URL('../runbook.json', import.meta.url))).json())

/** What would make Prometheus fire, as far as the server can tell by itself, with what to do. */
export function Alerts() {
  const alerts = useAnswer(() => /** @type {Promise<Alert[]>} */ (call('GET', '/api/super-admin/alerts')), [])
  const book = useAnswer(runbook, [])
  const [q, setQ] = useState('')
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) alerts.again() }, EVERY)
    return () => clearInterval(timer)
  }, [])
  const all = Object.entries(book.data ?? {})
  const found = all.filter(([name, said]) => `${name} ${said}`.toLowerCase().includes(q.toLowerCase()))
  return html`
    <h1>Alerts</h1>
    <p class="quiet">What one server can detect by itself. Prometheus with the rules of deploy/ sees more: all servers, and the past.</p>
    ${alerts.fault && html`<p class="fault box" role="alert">${alerts.fault}</p>`}
    ${alerts.data?.length === 0 && html`<p class="box good" role="status">No alerts.</p>`}
    ${alerts.data?.map((a, i) => html`
      <article class="card alert" key=${i}>
        <h2>${a.name} <span class=${`tag ${a.severity}`}>${a.severity}</span></h2>
        <p>${a.summary}</p>
        ${book.data && html`<h3>Runbook</h3><${Paragraph} text=${book.data[a.name] ?? 'The runbook has no entry for it.'} />`}
      </article>`)}
    <h2>Runbook</h2>
    <form class="filters" role="search" onSubmit=${(/** @type {Event} */ e) => e.preventDefault()}>
      <label><span>Find an alert</span><input type="search" value=${q} onInput=${(/** @type {any} */ e) => setQ(e.currentTarget.value)} maxlength="64" /></label>
    </form>
    ${all.length > 0 && found.length === 0 && html`<p class="quiet" role="status">No entry for “${q}”.</p>`}
    ${found.map(([name, said]) => html`<details key=${name}><summary>${name}</summary><${Paragraph} text=${said} /></details>`)}`
}

/** Text of the runbook: paragraphs, and what is between backticks as code. The rest of Markdown stays as it is written. @param {{text: string}} props */
function Paragraph({text}) {
  return text.split(/\n\s*\n/).map((part, n) => html`
    <p key=${n}>${part.split('`').map((piece, i) => i % 2 === 1 ? html`<code>${piece}</code>` : piece.replaceAll('\n', ' '))}</p>`)
}
