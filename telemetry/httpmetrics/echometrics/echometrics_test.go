package echometrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/httpmetrics/echometrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A service is a realistic echo server, with a handler for each way to answer.
func service(t *testing.T, use func(*echo.Echo)) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	use(e)
	e.GET("/items/:id", func(c echo.Context) error { return c.String(http.StatusOK, "item") })
	e.POST("/items", func(c echo.Context) error {
		_, err := io.Copy(io.Discard, c.Request().Body)
		return errors.Join(err, c.NoContent(http.StatusCreated))
	})
	e.GET("/teapot", func(echo.Context) error { return echo.NewHTTPError(http.StatusTeapot, "short and stout") })
	e.GET("/error", func(echo.Context) error { return errors.New("the database is down") })
	e.GET("/panic", func(echo.Context) error { panic("ouch") })
	e.GET("/late", func(c echo.Context) error {
		_ = c.String(http.StatusOK, "written")
		return errors.New("too late for another status")
	})
	e.GET("/ws", func(c echo.Context) error {
		conn, err := websocket.Accept(c.Response(), c.Request(), nil)
		if err != nil {
			return nil // it has answered
		}
		defer func() { _ = conn.CloseNow() }()
		return conn.Close(websocket.StatusNormalClosure, "")
	})
	e.Static("/static", dir)
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// counts returns the numbers of requests by method, route, status and error.type.
func counts(rec *telemetrytest.Recorder) (out []string) {
	const name = "http_server_request_duration_seconds_count{"
	for line := range strings.Lines(rec.Exposition()) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok {
			continue
		}
		labels, n, _ := strings.Cut(rest, "} ")
		value := map[string]string{}
		for pair := range strings.SplitSeq(labels, ",") {
			k, v, _ := strings.Cut(pair, "=")
			value[k] = strings.Trim(v, `"`)
		}
		out = append(out, strings.Join([]string{value["http_request_method"], value["http_route"],
			value["http_response_status_code"], value["error_type"], n}, " "))
	}
	slices.Sort(out)
	return out
}

func ask(t *testing.T, s *httptest.Server, method, path string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := s.Client().Do(r); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// Each request is counted once, with the path of its route and the status that was sent, wherever the middleware is.
func TestRequestsOfEcho(t *testing.T) {
	gzip := middleware.GzipWithConfig(middleware.GzipConfig{ // gzip breaks a WebSocket, with and without our middleware
		Skipper: func(c echo.Context) bool { return c.Path() == "/ws" },
	})
	for name, use := range map[string]func(*echo.Echo, echo.MiddlewareFunc){
		"use": func(e *echo.Echo, m echo.MiddlewareFunc) { e.Use(m, middleware.Recover()) },
		"pre": func(e *echo.Echo, m echo.MiddlewareFunc) {
			e.Pre(m, middleware.RemoveTrailingSlash())
			e.Use(middleware.Recover())
		},
		"within others": func(e *echo.Echo, m echo.MiddlewareFunc) {
			e.Use(gzip, middleware.RequestID(), m, middleware.Recover())
		},
		"outside others": func(e *echo.Echo, m echo.MiddlewareFunc) { e.Use(m, gzip, middleware.Recover()) },
	} {
		t.Run(name, func(t *testing.T) {
			rec := telemetrytest.New(t)
			s := service(t, func(e *echo.Echo) { use(e, echometrics.Middleware(httpmetrics.WithMeterProvider(rec))) })
			for _, target := range []string{
				"GET /items/7", "GET /items/8", "HEAD /items/7", "POST /items", "GET /teapot", "GET /error", "GET /panic", "GET /late", "GET /nowhere/7",
				"GET /nowhere/8", "GET /static/a.txt", "GET /static/none", "BREW /items/7",
			} {
				method, path, _ := strings.Cut(target, " ")
				ask(t, s, method, path)
			}
			conn, resp, err := websocket.Dial(t.Context(), s.URL+"/ws", nil)
			if err != nil {
				t.Fatal(err, resp)
			}
			_, _, _ = conn.Read(t.Context()) // waits until the server closes the connection
			_ = conn.CloseNow()
			ask(t, s, http.MethodGet, "/ws") // a request that does not ask for a WebSocket
			s.Close()
			want := []string{
				"GET  404  2", "GET /error 500 500 1", "GET /items/:id 200  2", "GET /late 200  1", "GET /panic 500 500 1",
				"GET /static* 200  1", "GET /static* 404  1", "GET /teapot 418  1", "GET /ws 426  1", "HEAD /items/:id 405  1", "POST /items 201  1",
				"_OTHER /items/:id 405  1",
			}
			if got := counts(rec); !slices.Equal(got, want) {
				t.Errorf("counted %q\nwant %q", got, want)
			}
			if got := rec.Sum("http.server.active_requests"); got != 0 {
				t.Errorf("%v requests are active", got)
			}
		})
	}
}

// A panic that nobody recovers from ends the connection, and is recorded as a panic.
func TestPanicGoesOn(t *testing.T) {
	rec := telemetrytest.New(t)
	s := service(t, func(e *echo.Echo) { e.Use(echometrics.Middleware(httpmetrics.WithMeterProvider(rec))) })
	ask(t, s, http.MethodGet, "/panic")
	s.Close()
	if got, want := counts(rec), []string{"GET /panic  panic 1"}; !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}

// The service's own handler answers the error, once.
func TestErrorHandlerOfTheService(t *testing.T) {
	rec := telemetrytest.New(t)
	errDown := errors.New("the database is down")
	handled := 0
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		handled++
		_ = c.String(http.StatusServiceUnavailable, err.Error())
	}
	var before http.ResponseWriter
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			before = c.Response().Writer
			err := next(c)
			if c.Response().Writer != before {
				t.Error("the response has another writer afterwards")
			}
			return err
		}
	}, echometrics.Middleware(httpmetrics.WithMeterProvider(rec), httpmetrics.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" })))
	e.GET("/error", func(echo.Context) error { return errDown })
	e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	for _, path := range []string{"/error", "/healthz"} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if path == "/error" && (w.Code != 503 || w.Body.String() != errDown.Error() || handled != 1) {
			t.Errorf("answered %d %q, handled %d times", w.Code, w.Body, handled)
		}
	}
	if got, want := counts(rec), []string{"GET /error 503 503 1"}; !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}

// A client that went away is not an error of the server, even if the handler returns one.
func TestClientOfEchoGoesAway(t *testing.T) {
	rec := telemetrytest.New(t)
	s := service(t, func(e *echo.Echo) {
		e.Use(echometrics.Middleware(httpmetrics.WithMeterProvider(rec)))
		e.GET("/slow", func(c echo.Context) error {
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := s.Client().Do(r); err == nil {
		resp.Body.Close()
		t.Error("it was answered")
	}
	s.Close()
	if got, want := counts(rec), []string{"GET /slow  canceled 1"}; !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}

func ExampleMiddleware() {
	p, err := telemetry.Setup(context.Background(), telemetry.WithService("shop", "1.0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(context.Background()) }()

	e := echo.New()
	e.Use(echometrics.Middleware())
	e.GET("/items/:id", func(c echo.Context) error { return c.String(http.StatusOK, "item "+c.Param("id")) })
	e.GET("/metrics", echo.WrapHandler(p.Handler()))

	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/items/7", nil))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "http_server_request_duration_seconds_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/items/:id",network_protocol_version="1.1",url_scheme="http"} 1
}
