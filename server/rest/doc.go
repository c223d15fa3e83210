// Package rest is the HTTP interface of the chat. [New] makes a [Server], which is an [http.Handler]. Its route table
// is in routes.go, and the handlers for each noun are in a file of their own.
//
// Answers have an envelope: {"success": true, "data": …} or {"success": false, "error": what, "details": why}. The
// health checks and GET /api/auth/validate have no envelope, because existing clients expect none.
//
// Ids in bodies, paths and queries are positive whole numbers; an id in a body that is a string is refused. A body is
// decoded as JSON whatever its Content-Type is, and unknown fields are refused. Every refusal names the field.
//
// The package contains no telemetry. A handler that wraps the Server finds the route template in [http.Request.Pattern]
// of the request that it passed in. It is set for every matched route, also if the request failed, and empty otherwise.
package rest
