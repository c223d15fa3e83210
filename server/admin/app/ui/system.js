import {html} from '../lib.js'
import {text} from '../state/api.js'
import {parse} from '../state/exposition.js'
import {nodes} from '../state/nodes.js'
import {count, span} from './format.js'
import {useAnswer} from './list.js'

/** @typedef {import('../types.d.ts').Node} Node */
/** @typedef {import('../types.d.ts').Telemetry} Telemetry */
/** @typedef {import('../types.d.ts').Instrument} Instrument */

/** The servers: their parts, their build, and what their metrics disagree about. */
export function System() {
  return html`
    <h1>System</h1>
    ${nodes.value.map(n => html`<${Server} key=${n.name} node=${n} />`)}`
}

/** @param {{node: Node}} props */
function Server({node}) {
  const ready = useAnswer(async () => /** @type {{status: string, parts: Record<string, string>}} */ (JSON.parse(await text(node.ready, [503]))), [node.name, node.up])
  const page = useAnswer(async () => parse(await text(node.metrics)), [node.name, node.up])
  const telemetry = useAnswer(async () => /** @type {Telemetry} */ (JSON.parse(await text(node.telemetry))), [node.name, node.up])
  const again = () => { ready.again(); page.again(); telemetry.again() }
  return html`
    <section class="card" aria-label=${node.name}>
      <header class="bar">
        <h2>${node.name}</h2>
        <span class=${`tag ${node.up ? 'active' : 'banned'}`}>${node.up ? 'answers' : 'away'}</span>
        <button type="button" onClick=${again} aria-label=${`Refresh ${node.name}`}>Refresh</button>
      </header>
      ${!node.up && html`<p class="fault">${node.why}</p>`}
      ${node.up && html`
        <h3>Parts</h3>
        ${ready.fault && html`<p class="fault">${ready.fault}</p>`}
        ${ready.data && html`<dl class="facts">${Object.entries(ready.data.parts ?? {}).map(([name, state]) => html`
          <dt key=${name}>${name}</dt><dd><span class=${`tag ${state === 'ok' ? 'active' : 'banned'}`}>${state}</span></dd>`)}</dl>`}
        <h3>Build</h3>
        ${page.fault && html`<p class="fault">${page.fault}</p>`}
        ${page.data && html`<${Build} page=${page.data} />`}
        <h3>Metrics</h3>
        ${telemetry.fault && html`<p class="fault">${telemetry.fault}</p>`}
        ${telemetry.data && html`<${Metrics} t=${telemetry.data} />`}`}
    </section>`
}

/** @param {{page: ReturnType<typeof parse>}} props */
function Build({page}) {
  const target = page.get('target_info')?.[0]?.labels ?? {}
  const started = page.get('process_start_time_seconds')?.[0]?.value
  return html`
    <dl class="facts">
      <dt>Version</dt><dd>${target.service_version || '–'}</dd>
      ${target.service_instance_id && html`<dt>Instance</dt><dd>${target.service_instance_id}</dd>`}
      <dt>Runs for</dt><dd>${started ? span(Date.now() / 1000 - started) : '–'}</dd>
      <dt>Telemetry SDK</dt><dd>${target.telemetry_sdk_name || '–'} ${target.telemetry_sdk_version}</dd>
    </dl>`
}

/** @param {{t: Telemetry}} props */
function Metrics({t}) {
  return html`
    <p>${count(t.instruments.length)} instruments with ${count(t.series)} series, ${count(t.conflicts.length)} ${t.conflicts.length === 1 ? 'conflict' : 'conflicts'}.</p>
    ${t.conflicts.map((c, i) => html`
      <article class="conflict" key=${i}>
        <h4>${c.family}</h4>
        <p>${c.reason}; ${c.resolution}. ${c.detail}</p>
        <dl class="facts">
          <dt>First</dt><dd><${Place} of=${c.first} /></dd>
          <dt>Second</dt><dd><${Place} of=${c.second} /></dd>
        </dl>
      </article>`)}`
}

/** Where in the code an instrument is made, and as what. @param {{of: Instrument}} props */
function Place({of}) {
  return html`<code class="whole">${of.site || of.site_unknown || 'unknown'}</code><br /><small>${[of.name, of.kind, of.unit, of.description].filter(Boolean).join(', ')}</small>`
}
