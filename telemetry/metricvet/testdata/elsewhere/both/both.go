package both

import (
	"elsewhere.example/a"
	"elsewhere.example/b"
)

func Log() {
	a.Log()
	b.Log()
}
