// Package rest is the HTTP interface of the chat. [New] makes the one
// [Server], an [http.Handler]; routes.go holds its route table, and each noun
// has a file of its own.
//
// Answers come in one envelope, {"success": true, "data": …} or
// {"success": false, "error": what, "details": why}; the health checks and
// GET /api/auth/validate keep the shapes that clients know.
//
// Ids in bodies, paths and queries are whole positive numbers; a digit string
// in a body is refused with a sentence that names the field. A body is decoded
// as JSON whatever its Content-Type says, and a field that it cannot have is
// refused by its name.
//
// The package holds no telemetry. Whatever wraps the handler finds the route
// template in [http.Request.Pattern] of the request it passed in: set for every
// matched route, whatever became of the request, and empty for the rest.
package rest
