// Package call is how two users call each other: it brings their offers, answers
// and ICE candidates, which it does not read, from one to the other, knows how
// far each call has come, and sees to it that every call ends. The media goes
// past the server, from client to client or through a relay.
//
// [New] makes the [Service] of a node, transition (transition.go) is the state
// machine that it runs on, and testdata/transitions.txt says what that does, case
// by case.
//
// # A call, frame by frame
//
// Every frame is {"type": …, "payload": {…}}. call_id is in all of them, and in
// those from the server from_user and to_user, too.
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
//   - It calls with call.offer, and learns call_id from the call.status that
//     answers. A callee who is in another call is answered call.end {user_busy}.
//   - It rings on call.offer. Another one with the same call_id takes the place of
//     the first, and is often the same. It stops on call.status {answered}, which
//     is another device of its user that was first, and on call.end. To say no, it
//     sends call.end without a reason, or with user_rejected.
//   - It sends candidates as they come (ice_candidate; null after the last), and
//     gets those of the other side after the offer or answer that they belong to.
//   - It says call.status {connected} when its media is up, and {answered} should
//     that be lost: this is what webrtc_connections_active counts.
//   - To negotiate anew (another network, video added) either side sends
//     call.offer with call_id; the other answers with call.answer.
//   - When it has lost its connection, it connects again within 10 s, with the
//     same login. It gets what has come meanwhile. Should the server not have
//     noticed that the old connection is gone, call.status with how it stands
//     puts the new one in its place. After the answer, a call.offer with call_id
//     moves the call to whatever device of the user sends it.
//   - Both may call each other at once. One of them is the caller then: the other
//     is answered call.status {ringing} with from_user not his own, and gets
//     call.offer. He drops his own offer, and answers.
//   - A call made by POST /api/calls has no offer yet: the callee gets call.status
//     {ringing} with call_type, and cannot answer before call.offer, which the
//     caller sends as if there were no call.
//
// What cannot be done is answered with an error frame, which says why; after the
// end of a call that is everything. Whoever is not in a call is told that there
// is none.
//
// testpage/call.html does all that with a camera, in a hundred lines; make
// test-browser has two Chromiums open it.
//
// # How calls end
//
//	user_hangup    one of the two, or the caller before the answer
//	user_rejected  the callee, before the answer
//	user_busy      the callee is in another call
//	timeout        nobody answered within 45 s; a device that connects meanwhile rings
//	network_error  the connection of the caller, or of one of the two, was gone for 10 s
//	server_error   a client says so
//
// # Several nodes
//
// A call is a row in the store, and every node may do anything to it. Each user's
// part in it, a [Leg], runs out at a time that the node puts off which has his
// connection. A client that is killed, and a node that is, are the same thing
// then: nobody puts it off, and whichever node looks next ends the call. So the
// clocks of the nodes have to agree: one that is ahead by as long as a user may
// be gone ends the calls of all others.
package call
