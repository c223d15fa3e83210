// Package call lets two users call each other: it carries their offers, answers and ICE candidates from one to the
// other without reading them, tracks the state of each call, and makes sure that every call ends. The media does not
// go through the server, but from client to client or through a relay.
//
// [New] makes the [Service] of a node. transition (transition.go) is its state machine, and testdata/transitions.txt
// lists what that does, case by case.
//
// # A call, frame by frame
//
// Every frame is {"type": …, "payload": {…}}. All have call_id, and those from the server also from_user and to_user.
//
//	Alice                          server                       Bob's phone      Bob's laptop
//	  │ call.offer                   │                               │                │
//	  │ {to_user, call_type,         │                               │                │
//	  │  sdp, ice_candidates}        │                               │                │
//	  ├─────────────────────────────>│                               │                │
//	  │ call.status {ringing}        │ call.offer {call_id, call_type, sdp,           │
//	  │<─────────────────────────────┤  ice_candidates}              │                │
//	  │                              ├──────────────────────────────>├───────────────>│
//	  │ call.ice {ice_candidate}     │                               │                │
//	  ├─────────────────────────────>│ (kept)                        │                │
//	  │                              │          call.status {ringing}│                │
//	  │ call.status {ringing}        │<──────────────────────────────┤                │
//	  │<─────────────────────────────┤     call.answer               │                │
//	  │                              │     {sdp, ice_candidates}     │                │
//	  │                              │<──────────────────────────────┤                │
//	  │ call.answer                  │ call.status {answered}        │                │
//	  │ {sdp, ice_candidates}        ├──────────────────────────────>├───────────────>│
//	  │<─────────────────────────────┤ call.ice (what was kept)      │   stops ringing│
//	  │                              ├──────────────────────────────>│                │
//	  │ call.ice                     │                       call.ice│                │
//	  │<────────────────────────────>│<─────────────────────────────>│                │
//	  │                                                              │
//	  │<════════════ the media comes up, past the server ═══════════>│
//	  │                              │                               │
//	  │ call.status {connected}      │        call.status {connected}│
//	  │<────────────────────────────>│<─────────────────────────────>│
//	  │ call.end {reason}            │                               │
//	  ├─────────────────────────────>│ call.end {reason, duration}   │
//	  │ call.status {ended, reason}  ├──────────────────────────────>│
//	  │<─────────────────────────────┤                               │
//
// # What a client does
//
//   - It calls with call.offer, and learns call_id from the call.status that answers. If the callee is in another
//     call, it gets call.end {user_busy}.
//   - It rings on call.offer. Another one with the same call_id replaces the first, and is often equal. It stops on
//     call.status {answered}, which means that another device of its user answered first, and on call.end. To
//     decline, it sends call.end without a reason, or with user_rejected.
//   - It sends candidates as they come (ice_candidate; null after the last), and gets those of the other side after
//     the offer or answer that they belong to.
//   - It sends call.status {connected} when its media is up, and {answered} if that is lost:
//     webrtc_connections_active counts this.
//   - To renegotiate (another network, video added), either side sends call.offer with call_id; the other answers
//     with call.answer.
//   - After losing its connection, it reconnects within 10 s, with the same login. It gets what has come meanwhile.
//     If the server has not noticed that the old connection is gone, call.status with the current status replaces it
//     by the new one. After the answer, a call.offer with call_id moves the call to the device of the user that sends
//     it.
//   - If both call each other at once, one of them becomes the caller: the other gets call.status {ringing} with the
//     caller's from_user, and then call.offer. It drops its own offer and answers.
//   - A call made by POST /api/calls has no offer yet: the callee gets call.status {ringing} with call_type, and
//     cannot answer before call.offer, which the caller sends as for a new call.
//
// A frame that is not allowed is answered with an error frame that says why; after the end of a call that is every
// frame. A user who is not in a call gets the same error as for a call that does not exist.
//
// testpage/call.html does all this with a camera, in a hundred lines; make test-browser opens it in two Chromiums.
//
// # How calls end
//
//	user_hangup    one of the two hung up, or the caller before the answer
//	user_rejected  the callee declined
//	user_busy      the callee is in another call
//	timeout        nobody answered within 45 s; a device that connects meanwhile rings
//	network_error  the connection of the caller, or of one of the two, was gone for 10 s
//	server_error   a client reported it
//
// # Several nodes
//
// A call is a row in the store, and every node may change it. Each user's part in it, a [Leg], has a deadline, which
// the node with that user's connection keeps extending. If a client or a node is killed, nobody extends the deadline,
// and the next node that checks ends the call. So the clocks of the nodes must agree: a node whose clock is ahead by
// the time that a user may be gone ends all calls of the others.
package call
