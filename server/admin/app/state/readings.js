// What the nodes' own metrics have said, for a quarter of an hour: scraped by this
// page as Prometheus does it, and kept in its memory.
import {signal} from '../lib.js'
import {text} from './api.js'
import {parse} from './exposition.js'
import {nodes} from './nodes.js'

/** @typedef {import('../types.d.ts').Reading} Reading */
/** @typedef {import('../types.d.ts').Buckets} Buckets */
/** @typedef {ReturnType<typeof parse>} Page */
/** A scrape of all nodes at one time. @typedef {{at: number, of: Map<string, Reading>}} Tick */

export const WINDOW = 15 * 60 // seconds

/** @type {import('../types.d.ts').Signal<Tick[]>} */
export const ticks = signal([])

/** Why nodes cannot be read, by their names. @type {import('../types.d.ts').Signal<Map<string, string>>} */
export const faults = signal(new Map())

export function forgetReadings() {
  ticks.value = []
  faults.value = new Map()
}

/** @param {Page} page; @param {string} name; @param {(labels: Record<string, string>) => boolean} [which] */
function sum(page, name, which = () => true) {
  const samples = page.get(name)?.filter(s => which(s.labels))
  return samples && samples.length > 0 ? samples.reduce((total, s) => total + s.value, 0) : null
}

/** @param {Page} page; @param {string} name; @param {(labels: Record<string, string>) => boolean} [which] @returns {Buckets | null} */
function buckets(page, name, which = () => true) {
  /** @type {Buckets} */
  const all = new Map()
  for (const {labels, value} of page.get(`${name}_bucket`) ?? []) {
    if (!which(labels)) continue
    const le = labels.le === '+Inf' ? Infinity : Number(labels.le)
    all.set(le, (all.get(le) ?? 0) + value)
  }
  return all.size > 0 ? all : null
}

/** What this page itself causes, and what lasts as long as a client wants, says nothing of the service. */
const ofClients = (/** @type {Record<string, string>} */ labels) =>
  !/^\/(ws|metrics|healthz?|readyz|admin\b.*|api\/super-admin\/(metrics|stats))$/.test(labels.http_route ?? labels.path ?? '')

/** @param {string} name; @param {number} at; @param {Page} page @returns {Reading} */
function reading(name, at, page) {
  const target = page.get('target_info')?.[0]?.labels ?? {}
  return {
    at, name: target.service_instance_id || name, version: target.service_version ?? '',
    started: sum(page, 'process_start_time_seconds'),
    sent: sum(page, 'messages_sent_total'),
    delivered: sum(page, 'im_message_deliveries_total'),
    requests: sum(page, 'http_requests_total', ofClients),
    connections: sum(page, 'im_connections_active'),
    memory: sum(page, 'process_resident_memory_bytes') ?? sum(page, 'go_memory_used_bytes'),
    goroutines: sum(page, 'go_goroutine_count'),
    took: buckets(page, 'http_server_request_duration_seconds', ofClients),
    delivery: buckets(page, 'im_message_delivery_duration_seconds'),
  }
}

let busy = false

/** Scrapes all nodes once. */
export async function scrape() {
  if (busy) return // a node that is slow is not asked twice at a time
  busy = true
  const at = Date.now() / 1000
  /** @type {Map<string, Reading>} */
  const of = new Map()
  /** @type {Map<string, string>} */
  const wrong = new Map()
  await Promise.all(nodes.peek().filter(n => n.up).map(async node => {
    try {
      const r = reading(node.name, Date.now() / 1000, parse(await text(node.metrics)))
      of.set(r.name, r)
    } catch (e) {
      wrong.set(node.name, /** @type {Error} */ (e).message)
    }
  }))
  busy = false
  faults.value = wrong
  ticks.value = [...ticks.peek().filter(t => t.at > at - WINDOW), {at, of}]
}

/**
 * Scrapes now and every few seconds while somebody looks, until the function that
 * it returns is called.
 * @param {number} seconds
 */
export function follow(seconds) {
  const look = () => { if (!document.hidden) void scrape() }
  look()
  const timer = setInterval(look, seconds * 1000)
  document.addEventListener('visibilitychange', look)
  return () => { clearInterval(timer); document.removeEventListener('visibilitychange', look) }
}
