// Package echometrics measures servers of echo v4 as package httpmetrics measures those of net/http: with the same
// metrics, the same attributes from closed sets, and the same rules for what is counted.
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

// Middleware returns middleware that measures every request. http.route is the path of the route in echo.Context, such as
// "/items/:id"; a request that matches no route has no http.route. The options are those of package httpmetrics. The
// result is safe for concurrent use. If an instrument cannot be created, otel.Handle gets the error, and requests are
// still answered.
//
// Install it before all other middleware, with Echo.Use, or with Echo.Pre to also measure requests that other Pre
// middleware answers. A request must pass only one Middleware, because each one counts it.
//
// Middleware must know the status. So if the handler returns an error, it calls Context.Error, which answers with the
// HTTPErrorHandler, and returns nil. Middleware installed before it therefore sees the response, not the error. If the
// error is context.Canceled because the client went away, the request is counted as canceled, without the status of that
// response.
//
// A group with middleware has a catch-all route, such as "/api/*", for its requests that match nothing else. A
// request with a wrong method has the route of the right one.
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
