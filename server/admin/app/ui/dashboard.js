import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {nodes} from '../state/nodes.js'
import {faults, follow, ticks} from '../state/readings.js'
import {names, quantiles, rates, values} from '../state/series.js'
import {hash} from '../state/route.js'
import {Broadcast} from './broadcast.js'
import {Chart} from './chart.js'
import {bytes, count, few, span, time, took} from './format.js'
import {useAnswer} from './list.js'

/** @typedef {import('../types.d.ts').Reading} Reading */
/** @typedef {import('../state/readings.js').Tick} Tick */
/** @typedef {Record<string, any>} Stats */

const STATS_EVERY = 15_000
const INTERVALS = [1, 2, 5] // seconds
const QUANTILES = [0.5, 0.95, 0.99]

/** A chart of one line a node. @typedef {{title: string, unit: (n: number) => string, of: (r: Reading) => number | null, grows?: boolean}} Plan */

/** @type {Plan[]} */
const PLANS = [
  {title: 'Messages sent, a second', unit: few, of: r => r.sent, grows: true},
  {title: 'Deliveries, a second', unit: few, of: r => r.delivered, grows: true},
  {title: 'Connections', unit: few, of: r => r.connections},
  {title: 'Requests, a second', unit: few, of: r => r.requests, grows: true},
  {title: 'Memory', unit: bytes, of: r => r.memory},
  {title: 'Goroutines', unit: few, of: r => r.goroutines},
]

/** The numbers of the whole system, and the last quarter of an hour of every node. */
export function Dashboard() {
  const [seconds, setSeconds] = useState(2)
  const [paused, setPaused] = useState(false)
  const known = nodes.value.length > 0
  useEffect(() => { if (known && !paused) return follow(seconds) }, [seconds, paused, known])
  const read = ticks.value
  return html`
    <header class="bar">
      <h1>Dashboard</h1>
      <label class="every"><span>Every</span>
        <select onChange=${(/** @type {any} */ e) => setSeconds(Number(e.currentTarget.value))}>
          ${INTERVALS.map(n => html`<option key=${n} value=${n} selected=${n === seconds}>${n} s</option>`)}
        </select></label>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>Pause</button>
      <${Broadcast} />
    </header>
    <${Tiles} />
    ${[...faults.value].map(([name, why]) => html`<p class="fault box" role="alert" key=${name}>${name} shows no metrics. ${why}</p>`)}
    <div class="charts">
      <${Quantiles} title="Request duration" read=${read} of=${(/** @type {Reading} */ r) => r.took} />
      <${Quantiles} title="Delivery duration" read=${read} of=${(/** @type {Reading} */ r) => r.delivery} />
      ${PLANS.map(plan => html`<${ByNode} key=${plan.title} plan=${plan} read=${read} />`)}
    </div>
    <p class="quiet">Drawn from /metrics of each node, read by this page while it is shown; the last 15 minutes. Grafana, with the dashboards of deploy/, shows all of it and for longer.</p>`
}

function Tiles() {
  const stats = useAnswer(() => /** @type {Promise<Stats>} */ (call('GET', '/api/super-admin/stats')), [])
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) stats.again() }, STATS_EVERY)
    return () => clearInterval(timer)
  }, [])
  const s = stats.data
  if (stats.fault) return html`<p class="fault box" role="alert">${stats.fault}</p>`
  if (!s) return html`<p class="quiet" role="status">Loading…</p>`
  /** @type {[string, string, string?][]} */
  const tiles = [
    ['Users', count(s.total_users), hash('users')],
    ['Online', count(s.online_users), hash('online')],
    ['Active today', count(s.active_users_today)],
    ['New today', count(s.new_users_today)],
    ['Chats', count(s.total_chats), hash('chats')],
    ['Messages', count(s.total_messages)],
    ['Messages today', count(s.messages_today)],
    ['Files', bytes(s.total_storage ?? 0)],
    ['Up for', span(s.server_uptime ?? 0)],
  ]
  return html`
    <dl class="tiles" title=${`Counted ${time(s.last_update_time)}`}>
      ${tiles.map(([name, value, to]) => html`<div key=${name}><dt>${to ? html`<a href=${to}>${name}</a>` : name}</dt><dd>${value}</dd></div>`)}
    </dl>`
}

/** @param {{plan: Plan, read: Tick[]}} props */
function ByNode({plan, read}) {
  const lines = names(read).map(name => ({name, values: (plan.grows ? rates : values)(read, name, plan.of)}))
  return html`<${Chart} title=${plan.title} unit=${plan.unit} at=${read.map(t => t.at)} lines=${lines} />`
}

/** @param {{title: string, read: Tick[], of: (r: Reading) => Reading['took']}} props */
function Quantiles({title, read, of}) {
  const lines = quantiles(read, of, QUANTILES).map((values, i) => ({name: `p${QUANTILES[i] * 100}`, values}))
  return html`<${Chart} title=${title} unit=${took} at=${read.map(t => t.at)} lines=${lines} />`
}
