/**
 * Tells whether a property is another one: only then a component that says so is drawn again.
 * @param {Record<string, any>} now
 * @param {Record<string, any>} next
 */
export function changed(now, next) {
  return Object.keys({...now, ...next}).some(name => now[name] !== next[name])
}
