// The one call that this page is in: signalling over the socket, as
// server/call/doc.go draws it, and the peer connection that carries the media.
import {signal} from '../lib.js'
import {call as request} from './api.js'
import {closeMedia, openMedia} from './media.js'
import {named} from './people.js'
import {me} from './session.js'
import {on, send} from './socket.js'

/** @typedef {import('../types.d.ts').CallFrame} CallFrame */
/** @typedef {'dialing' | 'ringing' | 'incoming' | 'connecting' | 'connected' | 'ended'} Stage */

/** The texts for the reasons of an end. @type {Record<string, string>} */
const ENDINGS = {
  user_hangup: 'The call has ended.',
  user_rejected: 'The call was declined.',
  user_busy: 'Busy in another call.',
  timeout: 'Nobody answered.',
  network_error: 'The connection was lost.',
  server_error: 'The call failed. Try again.',
}

/** How long an ended call is shown, in ms. */
const FAREWELL = 4000

class Call {
  /** @param {number} peerId; @param {boolean} video; @param {Stage} stage */
  constructor(peerId, video, stage) {
    this.peerId = peerId
    this.video = video
    this.mine = stage === 'dialing' // whether I am the caller
    this.id = ''
    /** @type {import('../types.d.ts').Signal<Stage>} */
    this.stage = signal(stage)
    this.ending = signal('')
    this.connectedAt = 0
    /** @type {import('../types.d.ts').Signal<MediaStream | null>} */
    this.local = signal(null)
    /** @type {import('../types.d.ts').Signal<MediaStream | null>} */
    this.remote = signal(null)
    this.muted = signal(false)
    this.dark = signal(false) // my camera is off
    /** @type {CallFrame | null} the offer that waits to be answered */
    this.offer = null
    /** @type {RTCPeerConnection | null} */
    this.peer = null
    /** @type {(RTCIceCandidate | null)[]} candidates of mine, before the call has an id */
    this.early = []
    /** @type {RTCIceCandidateInit[]} theirs, before their description is here */
    this.ahead = []
    this.last = Promise.resolve() // the frame that is being handled
  }
}

/** @type {import('../types.d.ts').Signal<Call | null>} */
export const current = signal(null)

/** Calls somebody. */
export async function dial(/** @type {number} */ peerId, /** @type {boolean} */ video) {
  if (current.peek() && current.peek()?.stage.peek() !== 'ended') return
  const c = current.value = new Call(peerId, video, 'dialing')
  try {
    await prepare(c)
    await c.peer?.setLocalDescription()
    if (current.peek() !== c || !c.peer) return
    const sent = send('call.offer', {to_user: peerId, call_type: video ? 'video' : 'audio', sdp: c.peer.localDescription})
    if (!sent) throw new Error('There is no connection to the server. Try again in a moment.')
  } catch (e) {
    finish(c, /** @type {Error} */ (e).message)
  }
}

/** Accepts an incoming call. */
export async function accept() {
  const c = current.peek()
  if (!c || c.stage.peek() !== 'incoming') return
  c.stage.value = 'connecting'
  try {
    await prepare(c)
    await answer(c)
  } catch (e) {
    send('call.end', {call_id: c.id, reason: 'user_rejected'})
    finish(c, /** @type {Error} */ (e).message)
  }
}

/** Ends or declines the call. */
export function hangUp() {
  const c = current.peek()
  if (!c) return
  const incoming = c.stage.peek() === 'incoming'
  if (c.id) send('call.end', {call_id: c.id, reason: incoming ? 'user_rejected' : 'user_hangup'})
  finish(c, '')
}

export function toggle(/** @type {Call} */ c, /** @type {'audio' | 'video'} */ kind) {
  const off = kind === 'audio' ? c.muted : c.dark
  off.value = !off.peek()
  for (const track of c.local.peek()?.getTracks() ?? []) if (track.kind === kind) track.enabled = !off.peek()
}

/** Opens the media, and a peer connection that carries it. */
async function prepare(/** @type {Call} */ c) {
  const [stream, ice] = await Promise.all([openMedia(c.video), request('GET', '/api/calls/ice-servers')])
  if (current.peek() !== c || c.stage.peek() === 'ended') return closeMedia(stream) // hung up meanwhile
  c.local.value = stream
  connectPeer(c, new RTCPeerConnection({iceServers: ice.ice_servers}))
}

function connectPeer(/** @type {Call} */ c, /** @type {RTCPeerConnection} */ peer) {
  c.peer = peer
  const stream = /** @type {MediaStream} */ (c.local.peek())
  for (const track of stream.getTracks()) peer.addTrack(track, stream)
  peer.ontrack = ({streams}) => { c.remote.value = streams[0] }
  peer.onicecandidate = ({candidate}) => {
    if (c.id) send('call.ice', {call_id: c.id, ice_candidate: candidate})
    else c.early.push(candidate)
  }
  peer.onconnectionstatechange = () => { if (c.peer === peer) mediaIs(c, peer.connectionState) }
}

function mediaIs(/** @type {Call} */ c, /** @type {RTCPeerConnectionState} */ state) {
  if (state === 'connected') {
    c.connectedAt ||= Date.now()
    c.stage.value = 'connected'
    send('call.status', {call_id: c.id, status: 'connected'})
  } else if ((state === 'disconnected' || state === 'failed') && c.stage.peek() === 'connected') {
    c.stage.value = 'connecting'
    send('call.status', {call_id: c.id, status: 'answered'})
  }
  if (state === 'failed' && c.mine) void negotiateAnew(c)
}

/** Looks for another way through the network, which one of the two has changed. */
async function negotiateAnew(/** @type {Call} */ c) {
  if (!c.peer) return
  c.peer.restartIce()
  await c.peer.setLocalDescription()
  send('call.offer', {call_id: c.id, to_user: c.peerId, sdp: c.peer.localDescription})
}

/** Answers the offer that waits. */
async function answer(/** @type {Call} */ c) {
  if (!c.peer || !c.offer) return
  await c.peer.setRemoteDescription(described(c.offer.sdp, 'offer'))
  await takeCandidates(c, c.offer.ice_candidates)
  c.offer = null
  await c.peer.setLocalDescription()
  send('call.answer', {call_id: c.id, sdp: c.peer.localDescription})
}

/** @param {CallFrame['sdp']} sdp; @param {RTCSdpType} type; @returns {RTCSessionDescriptionInit} */
function described(sdp, type) {
  return typeof sdp === 'object' ? sdp : {type, sdp}
}

/** Takes candidates in, those among them that came ahead of the description. */
async function takeCandidates(/** @type {Call} */ c, /** @type {RTCIceCandidateInit[]} */ more = []) {
  const all = [...c.ahead, ...more]
  c.ahead = []
  for (const each of all) await c.peer?.addIceCandidate(each)
}

/** Learns the id of a call, and tells of the candidates that waited for it. */
function know(/** @type {Call} */ c, /** @type {string} */ id) {
  c.id = id
  for (const candidate of c.early) send('call.ice', {call_id: id, ice_candidate: candidate})
  c.early = []
}

/** Ends what is here of a call, and says why; with nothing to say it is gone at once. */
function finish(/** @type {Call} */ c, /** @type {string} */ why) {
  c.peer?.close()
  c.peer = null
  closeMedia(c.local.peek())
  c.local.value = c.remote.value = null
  c.ending.value = why
  c.stage.value = 'ended'
  if (why) setTimeout(() => dismiss(c), FAREWELL)
  else dismiss(c)
}

export function dismiss(/** @type {Call} */ c) {
  if (current.peek() === c) current.value = null
}

/**
 * Has the frames of a call handled one after the other, each to its end. Those
 * of another call do not wait: what a peer connection was asked to do before it
 * was closed is never done.
 * @param {string} type
 * @param {(frame: CallFrame) => unknown} handle
 */
function inTurn(type, handle) {
  on(type, frame => {
    const c = of(frame)
    if (!c) return void handle(frame)
    c.last = c.last.then(() => handle(frame)).then(() => {}, e => {
      if (c.stage.peek() !== 'ended') finish(c, `The call failed: ${e.message}`)
    })
  })
}

/** The call that a frame is about, if it is the one here. */
function of(/** @type {CallFrame} */ frame) {
  const c = current.peek()
  return c && c.id === frame.call_id && c.stage.peek() !== 'ended' ? c : null
}

inTurn('call.offer', async frame => {
  let c = of(frame)
  const busy = current.peek()
  if (!c && busy && busy.stage.peek() !== 'ended') return // the server tells them that I am busy
  if (!c) {
    c = new Call(frame.from_user, frame.call_type === 'video', 'incoming')
    c.id = frame.call_id
    current.value = c
    send('call.status', {call_id: c.id, status: 'ringing'})
  }
  c.offer = frame
  if (c.stage.peek() === 'incoming') return
  if (c.mine && c.stage.peek() !== 'connected' && c.stage.peek() !== 'connecting') {
    // We called each other at once, and theirs goes first: my offer is dropped.
    const old = /** @type {RTCPeerConnection} */ (c.peer)
    c.mine = false
    connectPeer(c, new RTCPeerConnection(old.getConfiguration()))
    old.close()
    c.stage.value = 'connecting'
  }
  await answer(c)
})

inTurn('call.answer', async frame => {
  const c = of(frame)
  if (!c?.peer) return
  if (c.stage.peek() !== 'connected') c.stage.value = 'connecting'
  await c.peer.setRemoteDescription(described(frame.sdp, 'answer'))
  await takeCandidates(c, frame.ice_candidates)
})

inTurn('call.ice', async frame => {
  const c = of(frame)
  if (!c || !frame.ice_candidate) return
  c.ahead.push(frame.ice_candidate)
  if (c.peer?.remoteDescription && !c.offer) await takeCandidates(c)
})

inTurn('call.status', frame => {
  const c = of(frame)
  if (frame.status === 'ringing') return rings(c, frame)
  if (!c) return
  if (frame.status === 'ended') finish(c, ENDINGS[frame.reason ?? ''] ?? ENDINGS.user_hangup)
  else if (frame.status === 'answered' && c.stage.peek() === 'incoming') finish(c, 'Answered on another device.')
})

/** @param {Call | null} c; @param {CallFrame} frame */
function rings(c, frame) {
  if (c) {
    if (c.stage.peek() === 'dialing') c.stage.value = 'ringing'
    return
  }
  const dialing = current.peek()
  if (dialing?.stage.peek() === 'dialing' && !dialing.id) {
    if (frame.from_user === me.peek().id) know(dialing, frame.call_id)
    else dialing.id = frame.call_id // they called first, and their offer comes
  } else if (frame.from_user === me.peek().id && !frame.call_type) {
    send('call.end', {call_id: frame.call_id, reason: 'user_hangup'}) // hung up before it had an id
  }
}

inTurn('call.end', frame => {
  const c = of(frame)
  const dialing = current.peek()
  if (c) finish(c, ENDINGS[frame.reason ?? ''] ?? ENDINGS.user_hangup)
  else if (dialing?.stage.peek() === 'dialing' && !dialing.id) finish(dialing, ENDINGS[frame.reason ?? ''] ?? ENDINGS.user_busy)
})

on('error', (/** @type {{message: string, details: string, client_msg_id?: string}} */ e) => {
  const c = current.peek()
  if (!e.client_msg_id && c?.stage.peek() === 'dialing' && !c.id) finish(c, named(`${e.message}: ${e.details}`))
})

// After a new connection the server hears how the call stands, and leaves it to this one.
on('connect', () => {
  const c = current.peek()
  const stage = c?.stage.peek()
  if (c?.id && (stage === 'connected' || stage === 'connecting')) {
    send('call.status', {call_id: c.id, status: stage === 'connected' ? 'connected' : 'answered'})
  }
})
