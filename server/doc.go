// Package server is the roof of the chat server: it opens the floors upward, wires them, and closes them downward.
//
//	 web admin  rest    ws                 the ways in; page serves the first two
//	          \    /
//	        chat, call                      the domain
//	     /    /   \    \     \     \
//	sqlstore blob bus/ cache/ limit/ auth   adapters; turn relays calls
//
// observe measures all of it. A program that embeds the server calls [New] with a [Config] and a telemetry.Provider,
// and then [Server.Run]. [OpenOperator] is for commands that work on the database of a server.
package server
