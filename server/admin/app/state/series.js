// Makes lines of readings: rates of counters, values, and quantiles of histograms.

/** @typedef {import('../types.d.ts').Reading} Reading */
/** @typedef {import('../types.d.ts').Buckets} Buckets */
/** @typedef {import('./readings.js').Tick} Tick */
/** @typedef {(number | null)[]} Line */

/** Above this many seconds between two readings nothing is known of the time between them. */
const GAP = 20

/** How many seconds a quantile looks back: fewer, and a quiet server has none. */
const BACK = 30

/** The names of all nodes that were read. @param {Tick[]} ticks */
export function names(ticks) {
  const all = new Set()
  for (const t of ticks) for (const name of t.of.keys()) all.add(name)
  return /** @type {string[]} */ ([...all].sort())
}

/** @param {Tick[]} ticks; @param {string} node; @param {(r: Reading) => number | null} of @returns {Line} */
export const values = (ticks, node, of) => ticks.map(t => {
  const r = t.of.get(node)
  return r ? of(r) : null
})

/**
 * How fast a counter grows, a second. A counter that is lower than before began anew.
 * @param {Tick[]} ticks
 * @param {string} node
 * @param {(r: Reading) => number | null} of
 * @returns {Line}
 */
export function rates(ticks, node, of) {
  /** @type {Reading | undefined} */
  let before
  return ticks.map(t => {
    const now = t.of.get(node)
    if (!now) return null
    const last = before
    before = now
    return last && rate(last, now, of)
  }).map(v => v ?? null)
}

/** @param {Reading} a; @param {Reading} b; @param {(r: Reading) => number | null} of */
function rate(a, b, of) {
  const from = of(a), to = of(b), seconds = b.at - a.at
  if (from === null || to === null || seconds <= 0 || seconds > GAP || to < from || a.started !== b.started) return null
  return (to - from) / seconds
}

/**
 * How long at most the faster part of all took, on all nodes together, in the last half minute.
 * @param {Tick[]} ticks
 * @param {(r: Reading) => Buckets | null} of
 * @param {number[]} parts such as 0.5 and 0.99
 * @returns {Line[]} one for each part
 */
export function quantiles(ticks, of, parts) {
  const lines = parts.map(() => /** @type {Line} */ ([]))
  let from = 0
  ticks.forEach((t, i) => {
    while (t.at - ticks[from].at > BACK) from++
    const grown = from < i ? growth(ticks[from], t, of) : null
    parts.forEach((q, n) => lines[n].push(grown && quantile(grown, q)))
  })
  return lines
}

/** What came to the histograms of all nodes between two ticks. @param {Tick} a; @param {Tick} b; @param {(r: Reading) => Buckets | null} of */
function growth(a, b, of) {
  /** @type {Buckets} */
  const all = new Map()
  for (const [node, now] of b.of) {
    const before = a.of.get(node), to = of(now)
    if (!before || !to || before.started !== now.started) continue
    const was = of(before)
    for (const [le, n] of to) all.set(le, (all.get(le) ?? 0) + n - (was?.get(le) ?? 0))
  }
  return all
}

/**
 * As Prometheus's histogram_quantile has it: in a straight line within the bucket.
 * @param {Buckets} cumulative
 * @param {number} q
 */
export function quantile(cumulative, q) {
  const bounds = [...cumulative.keys()].sort((a, b) => a - b)
  const total = cumulative.get(Infinity) ?? 0
  if (total <= 0) return null
  const rank = q * total
  let below = 0, lower = 0
  for (const le of bounds) {
    const n = cumulative.get(le) ?? 0
    if (n >= rank) {
      if (le === Infinity) return lower
      return lower + (le - lower) * (n === below ? 1 : (rank - below) / (n - below))
    }
    below = n
    lower = le
  }
  return lower
}

/** The last number of a line. @param {Line} line */
export const latest = line => line.length > 0 ? line[line.length - 1] : null
