import {html, useEffect, useRef, useState} from '../lib.js'
import {accept, dismiss, hangUp, toggle} from '../state/call.js'
import {nameOf, person} from '../state/people.js'
import {Avatar} from './avatar.js'
import {Close, HangUp, Mic, MicOff, Phone, Video, VideoOff} from './icons.js'
import {duration} from './time.js'

/** @typedef {NonNullable<typeof import('../state/call.js').current.value>} Call */

/** @type {Record<string, string>} */
const STAGES = {dialing: 'Calling…', ringing: 'Ringing…', connecting: 'Connecting…'}

/** The call, above the page. @param {{call: Call}} props */
export function CallPanel({call}) {
  const user = person(call.peerId).value
  const name = nameOf(user)
  const stage = call.stage.value
  const incoming = stage === 'incoming'
  const picture = call.video && (stage === 'connected' || stage === 'connecting')
  const first = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => first.current?.querySelector('button')?.focus(), [incoming])
  return html`
    <div class=${picture ? 'call video' : 'call'} role="dialog" aria-label=${`Call with ${name}`} data-stage=${stage}>
      <${Stream} stream=${call.remote.value} class="theirs" />
      <div class="who">
        ${!picture && html`<${Avatar} name=${name} id=${call.peerId} large />`}
        <h2>${name}</h2>
        <p role="status">${incoming ? (call.video ? 'Incoming video call' : 'Incoming call') : stage === 'ended' ? call.ending.value : STAGES[stage]}
          ${stage === 'connected' && html`<${Lasting} since=${call.connectedAt} />`}</p>
      </div>
      ${call.video && stage !== 'ended' && !incoming && html`<${Stream} stream=${call.local.value} muted class=${call.dark.value ? 'mine off' : 'mine'} />`}
      <div class="controls" ref=${first}>
        ${incoming && html`<${Control} label="Accept" kind="accept" icon=${call.video ? Video : Phone} act=${accept} />`}
        ${incoming && html`<${Control} label="Decline" kind="end" icon=${HangUp} act=${hangUp} />`}
        ${!incoming && stage !== 'ended' && html`
          <${Control} label="Mute" pressed=${call.muted.value} icon=${call.muted.value ? MicOff : Mic} act=${() => toggle(call, 'audio')} />
          ${call.video && html`<${Control} label="Camera off" pressed=${call.dark.value} icon=${call.dark.value ? VideoOff : Video} act=${() => toggle(call, 'video')} />`}
          <${Control} label="Hang up" kind="end" icon=${HangUp} act=${hangUp} />`}
        ${stage === 'ended' && html`<${Control} label="Close" icon=${Close} act=${() => dismiss(call)} />`}
      </div>
    </div>`
}

/** @param {{label: string, icon: unknown, act: () => void, kind?: string, pressed?: boolean}} props */
function Control({label, icon, act, kind = '', pressed}) {
  return html`<button type="button" class=${`control ${kind}`} aria-label=${label} title=${label} aria-pressed=${pressed} onClick=${act}><${icon} /></button>`
}

/** Sound, and picture if there is one. @param {{stream: MediaStream | null, class: string, muted?: boolean}} props */
function Stream({stream, class: kind, muted}) {
  const el = useRef(/** @type {HTMLVideoElement | null} */ (null))
  useEffect(() => {
    if (!el.current) return
    el.current.muted = !!muted
    el.current.srcObject = stream
  }, [stream])
  return html`<video ref=${el} class=${kind} autoplay playsInline muted=${muted}></video>`
}

/** How long it has lasted. @param {{since: number}} props */
function Lasting({since}) {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return duration(Date.now() - since)
}
