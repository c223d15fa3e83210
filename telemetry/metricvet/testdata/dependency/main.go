package main

import (
	"corpus.example/page"
	"elsewhere.example/both" // want `lines_total: help "Lines of a." at elsewhere.example/a/a.go:8, "Lines of b." at elsewhere.example/b/b.go:8; the program panics at start`
)

func main() {
	both.Log()
	page.Print()
}
