// Package echometrics measures servers of echo v4 as package httpmetrics does those of net/http: the same metrics, the same
// attributes from closed sets, the same rules of what is counted.
//
//	e := echo.New()
//	e.Use(echometrics.Middleware())
//	e.GET("/items/:id", item)
package echometrics

import (
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/httpmetrics/internal/exchange"
)

// Middleware measures every request. http.route is the path of the route as echo.Context has it, such as "/items/:id"; a
// request that matches none has no http.route.
//
// It belongs before all other middleware, with Echo.Use, or with Echo.Pre to measure also what other Pre middleware answers.
// The status must be known, so if the handler returns an error, Middleware calls Context.Error, which answers it with the
// HTTPErrorHandler, and returns nil. Middleware that is before it therefore sees the answer and not the error. If the error is
// context.Canceled since the client went away, the request is counted as canceled, without the status of that answer.
//
// A group with middleware has a route for whatever matches nothing else in it, such as "/api/*", and a wrong method has the route of
// the right one.
func Middleware(opts ...httpmetrics.Option) echo.MiddlewareFunc {
	server := exchange.NewServer(exchange.NewConfig(opts))
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !server.Measures(c.Request()) {
				return next(c)
			}
			resp := c.Response()
			before := resp.Writer
			r := c.Request()
			x, inner := server.Begin(before, r)
			resp.Writer = x.Writer()
			c.SetRequest(inner)
			defer func() {
				resp.Writer = before
				if c.Request() == inner {
					c.SetRequest(r)
				}
				x.Returned(inner)
				x.End(c.Path(), recover())
			}()
			if err := next(c); err != nil {
				if errors.Is(err, context.Canceled) {
					x.Abandoned()
				}
				c.Error(err)
			}
			return nil
		}
	}
}
