// Package chat is the messaging domain: accounts, conversations, messages,
// files and presence, and their rules. It imports only the standard library.
//
// [New] returns the [Service]. HTTP and WebSocket handlers call its methods. The
// service uses the database through the interfaces in store.go, the bus and other parts
// through those in ports.go, and reports what happens through [Hooks].
//
// The package guarantees three things for each acknowledged message: it is stored
// before [Service.Send] returns; it is stored once, even if its sender retries; and
// its Seq is the next one of its conversation, without a gap.
package chat
