import {html, useEffect, useRef, useState} from '../lib.js'
import {Plot} from '../plot/plot.js'
import {WINDOW} from '../state/readings.js'
import {latest} from '../state/series.js'

/** @typedef {{name: string, values: (number | null)[]}} Line */
/** @typedef {{title: string, unit: (n: number) => string, at: number[], lines: Line[]}} Props */

const HEIGHT = 190
const LEAST = 120 // seconds that are shown
const GAP = 20 // seconds without a reading, above which a line is broken
const COLOURS = 8 // --line0 to --line7

const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'})
const dark = matchMedia('(prefers-color-scheme: dark)')

/** A colour of the page's own, as it is now. */
const colour = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/**
 * Times, and the values of each line; where nothing is known for long, a time without values.
 * @param {number[]} at
 * @param {Line[]} lines
 * @returns {import('uplot').AlignedData}
 */
function aligned(at, lines) {
  /** @type {number[]} */
  const x = []
  /** @type {(number | null)[][]} */
  const y = lines.map(() => [])
  at.forEach((t, i) => {
    if (i > 0 && t - at[i - 1] > GAP) {
      x.push(at[i - 1] + 1)
      y.forEach(line => line.push(null))
    }
    x.push(t)
    y.forEach((line, n) => line.push(lines[n].values[i]))
  })
  return [x, ...y]
}

/**
 * What of the time is shown: all that was read, and two minutes at least.
 * @param {number | null} min
 * @param {number | null} max
 * @returns {[number, number]}
 */
function visible(min, max) {
  const to = max ?? Date.now() / 1000
  return [to - Math.min(WINDOW, Math.max(LEAST, to - (min ?? to))), to]
}

/**
 * @param {HTMLElement} box
 * @param {Props} props
 * @param {(index: number | null) => void} point
 */
function draw(box, {unit, lines}, point) {
  const axis = {stroke: colour('--quiet'), grid: {stroke: colour('--line'), width: 1}, ticks: {show: false}, font: '11px system-ui, sans-serif'}
  return new Plot({
    width: box.clientWidth, height: HEIGHT,
    legend: {show: false},
    cursor: {sync: {key: 'dashboard'}, points: {size: 6}, drag: {x: false, y: false}},
    scales: {
      x: {range: (_, min, max) => visible(min, max)},
      y: {range: (_, __, max) => [0, max && max > 0 ? max * 1.1 : 1]},
    },
    axes: [
      {...axis, size: 30, space: 80, values: (_, at) => at.map(t => clock.format(t * 1000))},
      {...axis, size: 64, values: (_, at) => at.map(n => unit(n))},
    ],
    series: [{}, ...lines.map((l, i) => ({label: l.name, stroke: colour(`--line${i % COLOURS}`), width: 1.6, points: {show: false}}))],
    hooks: {setCursor: [u => point(u.cursor.idx ?? null)]},
  }, [[], ...lines.map(() => [])], box)
}

/** Lines over the last quarter of an hour. Its legend has the newest values, or those under the pointer. @param {Props} props */
export function Chart(props) {
  const {title, unit, at, lines} = props
  const box = useRef(/** @type {HTMLElement | null} */ (null))
  const plot = useRef(/** @type {Plot | null} */ (null))
  const [index, setIndex] = useState(/** @type {number | null} */ (null))
  const [scheme, setScheme] = useState(dark.matches)
  const data = aligned(at, lines)
  const key = lines.map(l => l.name).join('\n')
  useEffect(() => {
    const change = () => setScheme(dark.matches)
    dark.addEventListener('change', change)
    return () => dark.removeEventListener('change', change)
  }, [])
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current)
    const made = plot.current = draw(element, props, setIndex)
    const resized = new ResizeObserver(() => made.setSize({width: element.clientWidth, height: HEIGHT}))
    resized.observe(element)
    return () => { resized.disconnect(); made.destroy(); plot.current = null }
  }, [key, scheme])
  useEffect(() => plot.current?.setData(data), [at, key, scheme])
  const shown = lines.map((l, i) => index === null ? latest(l.values) : data[i + 1][index] ?? null)
  return html`
    <figure class="card">
      <figcaption>
        <h3>${title}</h3>
        <ul class="legend">
          ${lines.map((l, i) => html`<li key=${l.name} class=${`line${i % COLOURS}`}>${l.name} <strong>${shown[i] === null ? '–' : unit(/** @type {number} */ (shown[i]))}</strong></li>`)}
        </ul>
      </figcaption>
      <div class="plot" ref=${box} aria-hidden="true"></div>
    </figure>`
}
