// Package server is the roof of the chat server: it opens the floors upward,
// wires them, and closes them downward.
//
//	 web admin  rest    ws                 how clients come in; page serves the first two
//	          \    /
//	        chat, call                      the domain
//	     /    /   \    \     \     \
//	sqlstore blob bus/ cache/ limit/ auth   what it needs; turn relays calls
//
// observe looks into all of it. A program that embeds the server calls [New]
// with a [Config] and a telemetry.Provider, and then [Server.Run].
package server
