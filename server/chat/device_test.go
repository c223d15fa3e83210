package chat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDeviceText(t *testing.T) {
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                    "Firefox 145 on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/141.0.0.0 Safari/537.36":     "Chrome 141 on Windows",
		"Mozilla/5.0 (Windows NT 10.0)" + webkit + "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.3537":  "Edge 141 on Windows",
		"Mozilla/5.0 (Linux; Android 14; K)" + webkit + "Chrome/141.0.0.0 Mobile Safari/537.36":     "Chrome 141 on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)" + webkit + "Version/18.1 Safari/6": "Safari 18 on iPhone",
		"Mozilla/5.0 (something else)": "Mozilla/5.0 (something else)",
		"curl/8.5.0":                   "curl/8.5.0",
		"":                             "",
		"a\x00b\u202ec\r\nd\xff":       "abc d",
	} {
		if got := deviceText(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("ü", 1000), "Mozilla/5.0 (Linux) Chrome/" + strings.Repeat("9", 5000)} {
		if got := deviceText(long); len(got) > maxDevice || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
