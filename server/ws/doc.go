// Package ws is the WebSocket interface of the chat: it carries frames between clients and the domain, and events to all
// connections of their receivers.
//
// [New] makes the [Hub] of a node. [Hub.Serve] upgrades a request to a connection, [Hub.Deliver] is the subscriber of
// the bus, and [Hub.Shutdown] closes everything.
//
// An event takes this way:
//
//	Deliver ── encode once ──> frame ──> outbox of each connection
//	                                         │ (bounded; never blocks)
//	           flusher ── all waiting frames, in one write ──> socket
//	              └─ if the socket is full: drain, in a goroutine of its own
//
// A client's frame takes this way:
//
//	socket ──> coder/websocket ──> conn.readLoop ──> decode ──> command ──> chat.Service
//
// The answers: message.send gets message.ack; message.edit, message.delete, message.recall and message.read get the
// frame of the same type that the others get; sync gets sync, and ping gets pong; package call answers frames of calls;
// typing and presence get nothing. A frame that fails gets error. The connection stays open unless the client broke the
// protocol, sent an endless frame, did not read, or went on too fast after errors with the code rate_limited.
//
// github.com/coder/websocket does the handshake, reads frames and answers control frames. Its own writes go through
// [wire] into the same outbox as everything else. So there is one write in flight at a time, nothing follows a close
// frame, and a client that does not read cannot block a reader.
package ws
