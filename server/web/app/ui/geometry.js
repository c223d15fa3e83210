// Where the pages of a conversation are, in pixels from its top: measured where
// they were shown, estimated where not.

/** Of a page that nobody has seen: 50 messages of a line or two. */
const TYPICAL = 50 * 56

export class Geometry {
  constructor() {
    /** @type {Map<number, number>} */
    this.heights = new Map()
  }

  height(/** @type {number} */ page) {
    return this.heights.get(page) ?? TYPICAL
  }

  /** Takes over what a page was measured to be. */
  measured(/** @type {number} */ page, /** @type {number} */ height) {
    this.heights.set(page, height)
  }

  /** Where a page begins. */
  top(/** @type {number} */ page) {
    let y = 0
    for (let p = 0; p < page; p++) y += this.height(p)
    return y
  }

  /** The pages, of n, that lie between two heights, and the space before and after them. */
  between(/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ n) {
    let first = 0, before = 0
    while (first < n - 1 && before + this.height(first) <= from) before += this.height(first++)
    let end = first, y = before
    while (end < n && (y < to || end === first)) y += this.height(end++)
    let after = 0
    for (let p = end; p < n; p++) after += this.height(p)
    return {first, end, before, after}
  }
}
