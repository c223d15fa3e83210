// Package ws is the WebSocket way into the chat: it carries frames between
// clients and the domain, and events to all connections of their receivers.
//
// [New] makes the one [Hub]. [Hub.Serve] takes a request and leaves a
// connection behind, [Hub.Deliver] is the subscriber of the bus, and
// [Hub.Shutdown] ends it all.
//
// An event travels like this:
//
//	Deliver ── encode once ──> frame ──> outbox of each connection
//	                                         │ (bounded; never blocks)
//	              flusher ── all that waits, in one write ──> socket
//	                 └─ when the socket is full: drain, a goroutine of its own
//
// A client's frame travels like this:
//
//	socket ──> coder/websocket ──> conn.readLoop ──> decode ──> command ──> chat.Service
//
// What a client is answered: message.send with message.ack; message.edit,
// message.delete, message.recall and message.read with the frame of the same
// type that the others get; sync with sync, ping with pong; frames of calls as
// package call says; typing and presence with nothing; and whatever fails with
// error. The connection stays unless the client broke the protocol, sent a frame
// without end, did not read, or went on after it was told that it is too fast.
//
// github.com/coder/websocket does the handshake, reads frames and answers
// control frames. What it writes goes through [wire] into the same outbox as
// everything else, so that one write is in flight at a time, nothing follows a
// close frame, and no client can hold a reader up by not reading.
package ws
