// Reads the text that Prometheus scrapes: lines of name{labels} value.

/** @typedef {{labels: Record<string, string>, value: number}} Sample */

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,?)/y
const VALUE = /\s+(\S+)/y

/** @param {string} text */
const unescaped = text => text.replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c)

/** @param {string} text */
function number(text) {
  if (text === '+Inf' || text === 'Inf') return Infinity
  return text === '-Inf' ? -Infinity : Number(text)
}

/** Goes on with a pattern where the last one ended. @param {RegExp} pattern; @param {string} line; @param {number} from */
function match(pattern, line, from) {
  pattern.lastIndex = from
  return pattern.exec(line)
}

/**
 * Reads one line; null where it is no sample.
 * @param {string} line
 * @returns {{name: string, sample: Sample} | null}
 */
function read(line) {
  const name = match(NAME, line, 0)
  if (!name) return null
  let at = name[0].length
  /** @type {Record<string, string>} */
  const labels = {}
  if (line[at] === '{') {
    at++
    for (let more = true; more && line[at] !== '}';) {
      const label = match(LABEL, line, at)
      if (!label) return null
      labels[label[1]] = unescaped(label[2])
      at += label[0].length
      more = label[3] === ','
    }
    if (line[at] !== '}') return null
    at++
  }
  const value = match(VALUE, line, at)
  if (!value || value[1] !== 'NaN' && Number.isNaN(number(value[1]))) return null
  return {name: name[0], sample: {labels, value: number(value[1])}}
}

/**
 * Reads a whole page: samples by name. What is no sample is left out.
 * @param {string} text
 * @returns {Map<string, Sample[]>}
 */
export function parse(text) {
  const all = new Map()
  for (const line of text.split('\n')) {
    if (line === '' || line[0] === '#') continue
    const found = read(line)
    if (!found) continue
    const samples = all.get(found.name)
    if (samples) samples.push(found.sample)
    else all.set(found.name, [found.sample])
  }
  return all
}
