import {Component, html} from '../lib.js'
import {me} from '../state/session.js'
import {Bubble} from './bubble.js'
import {changed} from './changed.js'
import {dayOf, sameDay} from './time.js'

/** @typedef {import('../types.d.ts').Message} Message */
/**
 * @typedef {object} Props
 * @property {import('../state/conversation.js').Conversation} c
 * @property {number} p
 * @property {(Message | undefined)[] | undefined} page
 * @property {number | undefined} height of a page that is not here
 * @property {number} count of the messages it has, or will have
 * @property {Message | undefined} before the last message of the page before
 * @property {number} unreadFrom
 * @property {number} shown seq of the message that was looked for
 * @property {number} delivered
 * @property {number} read
 * @property {(seq: number) => void} show
 * @property {(m: Message) => void} menu
 */

/** Messages of one sender belong together for so long. */
const TOGETHER = 5 * 60_000

/** Some 50 messages. It is drawn again when one of them changes, and not when another page does. @extends {Component<Props>} */
export class MessagePage extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) { return changed(this.props, next) }

  /** @param {Props} props */
  render({c, p, page, height, count, before, unreadFrom, shown, delivered, read, show, menu}) {
    if (!page) return html`<div class="msgpage blank" data-page=${p} style=${{height: `${height}px`}} aria-hidden="true"></div>`
    const rows = []
    let previous = before
    for (let i = 0; i < count; i++) {
      const m = page[i]
      if (!m) { // on its way
        previous = undefined
        continue
      }
      if (m.is_hidden) continue // I deleted it
      const newDay = !previous || !sameDay(previous.created_at, m.created_at)
      const goesOn = !newDay && previous?.sender_id === m.sender_id && m.seq !== unreadFrom &&
        Date.parse(m.created_at) - Date.parse(previous.created_at) < TOGETHER
      const mine = m.sender_id === me.peek().id
      if (newDay && (previous || m.seq === 1)) rows.push(html`<p class="day" key=${`day${m.seq}`}><span>${dayOf(m.created_at)}</span></p>`)
      if (m.seq === unreadFrom) rows.push(html`<p class="day unread" key="unread"><span>Unread messages</span></p>`)
      rows.push(html`<${Bubble} key=${m.seq} c=${c} m=${m} mine=${mine} goesOn=${goesOn} shown=${shown === m.seq}
        delivered=${mine && m.seq <= delivered} read=${mine && m.seq <= read} show=${show} menu=${menu} />`)
      previous = m
    }
    return html`<div class="msgpage" data-page=${p}>${rows}</div>`
  }
}
