// Package turn is a STUN and TURN server (RFC 8489, RFC 8656) for calls whose
// peers cannot reach each other. [Open] makes the one [Server]; [Credentials]
// makes the names and passwords that its clients use.
//
// The protocol is pion/turn's. What is here is what a relay in the middle of an
// operator's network needs beside it:
//
//   - credentials end by themselves, and an allocation ends with the credential
//     that made it;
//   - a user has so many allocations and so many bytes a second, over all of them;
//   - nothing is relayed to loopback, private and other special addresses, nor to
//     this machine: looked at when a client asks for a permission, and again for
//     each packet;
//   - frames of TCP clients are measured before pion sees them, connections that
//     do nothing are closed, and all that was opened ends in Close.
//
// Relaying is over IPv4, clients come over UDP or TCP. Two clients of one server
// reach each other by its public address even behind a NAT that does not: such
// packets do not leave the machine.
package turn
