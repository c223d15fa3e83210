package main

import (
	_ "corpus.example/early/api"
	_ "corpus.example/early/push" // want `early_total: help "Of the API." at corpus.example/early/api/api.go:6, "Of pushes." at corpus.example/early/push/push.go:6; both are registered before promguard is installed, and the program panics at start. Import _ "github.com/onemeter/onemeter/telemetry/promguard" in one of the two packages`
	"corpus.example/page"

	_ "github.com/onemeter/onemeter/telemetry/promguard"
)

func main() { page.Print() }
