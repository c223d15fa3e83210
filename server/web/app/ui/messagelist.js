import {Component, html} from '../lib.js'
import {PAGE, pageOf} from '../state/conversation.js'
import {markRead} from '../state/conversations.js'
import {Geometry} from './geometry.js'
import {Down} from './icons.js'
import {MessageMenu} from './messagemenu.js'
import {MessagePage} from './messagepage.js'
import {PendingBubble} from './pendingbubble.js'

/** @typedef {import('../state/conversation.js').Conversation} Conversation */
/** @typedef {import('../types.d.ts').Message} Message */
/** @typedef {{c: Conversation, shown: {seq: number}, show: (seq: number) => void}} Props */

/** So near to the end, the list stays at the end when more comes. */
const NEAR = 80
/** A page is loaded once it was in sight for so long: who scrolls past it does not need it. */
const REST = 80

/**
 * The messages. Of a long conversation only the pages in sight are in the
 * document, with space before and after for the others. What is in sight stays
 * where it is, whatever comes before or after it.
 * @extends {Component<Props, {menu: Message | null, away: boolean}>}
 */
export class MessageList extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props)
    this.state = {menu: null, away: false}
    this.geometry = new Geometry()
    /** @type {HTMLElement | null} */
    this.box = null
    this.range = {first: 0, end: 0, before: 0, after: 0}
    this.atEnd = true
    /** The message that stays where it is, and where: pixels below the top of what is in sight. */
    this.anchor = {seq: 0, y: 0}
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.resting = undefined
    this.resized = new ResizeObserver(() => this.settle())
    /** @type {Element | null} */
    this.content = null
    this.look = this.look.bind(this)
    this.menu = (/** @type {Message} */ m) => this.setState({menu: m})
    this.scrolled = this.scrolled.bind(this)
  }

  componentDidMount() {
    if (this.box) this.resized.observe(this.box)
    if (this.content) this.resized.observe(this.content) // a picture may need more room than was kept for it
    document.addEventListener('visibilitychange', this.look)
    this.settle()
  }

  componentWillUnmount() {
    this.resized.disconnect()
    document.removeEventListener('visibilitychange', this.look)
    clearTimeout(this.resting)
  }

  /** @param {Props} before */
  componentDidUpdate(before) {
    const {seq} = this.props.shown
    if (seq && before.shown !== this.props.shown) this.jump(seq)
    this.settle()
  }

  /** Goes to a message, which need not be loaded. */
  jump(/** @type {number} */ seq) {
    if (!this.box) return
    const page = pageOf(seq)
    this.atEnd = false
    this.anchor = {seq, y: this.box.clientHeight / 3}
    this.box.scrollTop = this.geometry.top(page) + this.geometry.height(page) * ((seq - 1) % PAGE) / PAGE - this.anchor.y
  }

  toEnd() {
    this.atEnd = true
    this.forceUpdate()
  }

  /** Measures what is shown, puts it where it belongs, and sees to what comes into sight. */
  settle() {
    const box = this.box
    if (!box) return
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll('[data-page]'))) {
      this.geometry.measured(Number(el.dataset.page), el.offsetHeight)
    }
    if (this.atEnd) box.scrollTop = box.scrollHeight
    else this.hold(box)
    this.look()
  }

  /** Scrolls so that the anchor is where it was. */
  hold(/** @type {HTMLElement} */ box) {
    const el = box.querySelector(`[data-seq="${this.anchor.seq}"]`)
    if (!el) return
    const moved = el.getBoundingClientRect().top - box.getBoundingClientRect().top - this.anchor.y
    if (Math.abs(moved) >= 1) box.scrollTop += moved
  }

  scrolled() {
    const box = this.box
    if (!box) return
    this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR
    const top = box.getBoundingClientRect().top
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll('[data-seq]'))) {
      const at = el.getBoundingClientRect()
      if (at.bottom < top) continue
      this.anchor = {seq: Number(el.dataset.seq), y: at.top - top}
      break
    }
    this.look()
  }

  /** Sees what is in sight: it is drawn, loaded, and read. */
  look() {
    const {c} = this.props
    if (this.state.away === this.atEnd) this.setState({away: !this.atEnd})
    const {first, end} = this.visible()
    if (first !== this.range.first || end !== this.range.end) this.forceUpdate()
    clearTimeout(this.resting)
    /** @type {number[]} */
    const missing = []
    for (let p = end - 1; p >= first; p--) if (c.wants(p)) missing.push(p)
    if (missing.length > 0) this.resting = setTimeout(() => missing.forEach(p => c.load(p)), REST)
    if (this.atEnd && document.visibilityState === 'visible') markRead(c)
  }

  /** The pages in sight, and those within half a screen. */
  visible() {
    const box = this.box
    const n = Math.ceil(this.props.c.last.peek() / PAGE)
    const height = box?.clientHeight ?? 0
    if (this.atEnd || !box) {
      return this.geometry.between(this.geometry.top(n) - height * 1.5, Infinity, n)
    }
    return this.geometry.between(box.scrollTop - height / 2, box.scrollTop + height * 1.5, n)
  }

  /** @param {Props} props; @param {{menu: Message | null, away: boolean}} state */
  render({c, shown, show}, {menu, away}) {
    c.changed.value // a change of a page draws the list anew, once a frame
    const last = c.last.value
    this.range = this.visible()
    const {first, end, before, after} = this.range
    const pages = []
    for (let p = first; p < end; p++) {
      const clip = (/** @type {number} */ seq) => Math.min(Math.max(seq, p * PAGE), (p + 1) * PAGE)
      pages.push(html`<${MessagePage} key=${p} c=${c} p=${p} page=${c.pages.get(p)} height=${c.pages.has(p) ? undefined : this.geometry.height(p)}
        count=${Math.min(PAGE, last - p * PAGE)} before=${c.get(p * PAGE)} unreadFrom=${c.unreadFrom} shown=${shown.seq}
        delivered=${clip(c.delivered.value)} read=${clip(c.read.value)} show=${show}
        menu=${this.menu} />`)
    }
    return html`
      <div class="listbox">
        <div class="messages" role="log" aria-live="off" aria-label="Messages" tabindex="0" onScroll=${this.scrolled}
          ref=${(/** @type {HTMLElement | null} */ el) => { this.box = el }}>
          <div ref=${(/** @type {Element | null} */ el) => { this.content = el }}>
            <div style=${{height: `${before}px`}}></div>
            ${pages}
            <div style=${{height: `${after}px`}}></div>
            ${c.failure.value && html`<p class="failure" role="alert">${c.failure.value} <button type="button" onClick=${() => this.again()}>Try again</button></p>`}
            ${last === 0 && c.pending.value.length === 0 && html`<p class="failure">No messages here yet. Write the first one.</p>`}
            ${c.pending.value.map(p => html`<${PendingBubble} key=${p.client_msg_id} c=${c} p=${p} />`)}
          </div>
        </div>
        ${away && html`<button type="button" class="round toend" aria-label="To the newest message" onClick=${() => this.toEnd()}>
          <${Down} />${c.unread.value > 0 && html`<span class="badge">${c.unread.value}</span>`}</button>`}
        <${Herald} c=${c} />
        ${menu && html`<${MessageMenu} c=${c} m=${menu} close=${() => this.setState({menu: null})} />`}
      </div>`
  }

  again() {
    this.props.c.failure.value = ''
    this.look()
  }
}

/** Reads the newest message of others out; not the whole log, which changes as it scrolls. @param {{c: Conversation}} props */
function Herald({c}) {
  const m = c.newest.value
  return html`<p class="hidden" role="status">${m && m.seq === c.lastTheirs && m.seq > c.unreadFrom ? m.content.slice(0, 300) : ''}</p>`
}
