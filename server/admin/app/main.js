// Starts the console: what is asked for again and again follows the session, and
// the page follows what is known.
import {effect, html, render} from './lib.js'
import {askNodes} from './state/nodes.js'
import {askPending} from './state/pending.js'
import {forgetReadings} from './state/readings.js'
import {session} from './state/session.js'
import {App} from './ui/app.js'

const inside = () => session.value !== null

askNodes()
effect(() => { if (inside()) return askPending() })
effect(() => { if (!inside()) forgetReadings() })

render(html`<${App} />`, document.body)
