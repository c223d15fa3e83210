package main

import (
	_ "corpus.example/outage/api"
	_ "corpus.example/outage/push" // want `http_requests_total: help "Total number of HTTP requests" at corpus.example/outage/api/api.go:8, "HTTP请求总数" at corpus.example/outage/push/push.go:5; the program panics at start. Define it once, or import _ "github.com/onemeter/onemeter/telemetry/promguard" in main`
	"corpus.example/page"
)

func main() { page.Print() }
