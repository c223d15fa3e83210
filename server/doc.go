// Package server assembles the chat server: it opens its parts from the lowest floor up, connects them, and closes them
// in reverse order.
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
