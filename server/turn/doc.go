// Package turn is a STUN and TURN server (RFC 8489, RFC 8656) for calls whose
// peers cannot reach each other. [Open] makes the one [Server]; [Credentials]
// makes the names and passwords that its clients use.
//
// pion/turn implements the protocol. This package adds what a relay in an operator's network needs:
//
//   - credentials expire, and an allocation ends when the credential that made it expires;
//   - the number of allocations of a user is limited, and the total of bytes per second over all of them;
//   - nothing is relayed to loopback, private and other special addresses, nor to this machine: checked when a client
//     asks for a permission, and again for each packet;
//   - frames of TCP clients are checked before pion gets them, idle connections are closed, and Close ends everything
//     that was opened.
//
// It relays over IPv4; clients connect over UDP or TCP. Two clients of one server reach each other by its public
// address, even behind a NAT that does not support this: such packets do not leave the machine.
package turn
