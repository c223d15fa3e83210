package b

import "corpus.example/silent_maybe_once/a"

func Start() { a.Default() }
