// Package chat is the messaging domain: accounts, conversations, messages,
// files and presence, and the rules that hold between them. It imports the
// standard library only.
//
// [New] makes the one [Service]; every way into the server calls its methods.
// What the service needs from outside it asks for through the small interfaces
// of ports.go, and what happens inside it tells through [Hooks].
//
// The promise of the package is about a message that was acknowledged: it is
// stored before [Service.Send] returns, once however often its sender retries,
// and its Seq is the next one of its conversation, without a gap.
package chat
