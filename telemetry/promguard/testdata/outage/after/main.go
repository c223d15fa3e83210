// Two packages of a chat backend count requests under one name, and the page is printed. There are two such programs:
// before ends in a panic, and after works. It has one import more.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	_ "github.com/onemeter/onemeter/telemetry/promguard"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"im.example/backend/api"
	"im.example/backend/push"
)

func main() {
	api.Serve("/messages")
	push.Notify("/messages")
	push.Notify("/devices")

	page := httptest.NewRecorder()
	promhttp.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics?name[]=http_requests_total", nil))
	fmt.Print(page.Body)
}
