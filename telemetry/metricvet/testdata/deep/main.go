package main

import (
	"corpus.example/deep/api" // want `rows_total: help `
	"corpus.example/deep/push"
	"corpus.example/page"
)

func main() {
	api.Serve()
	push.Send()
	page.Print()
}
