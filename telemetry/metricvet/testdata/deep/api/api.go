// Package api has nothing of the store in its own types.
package api

import "corpus.example/deep/store"

func Serve() { store.Read() }
