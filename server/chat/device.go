package chat

import "strings"

const maxDevice = 96 // bytes of what a client calls itself

// browsers and systems are what is looked for in a User-Agent, in this order: most
// name others besides themselves.
var (
	browsers = [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Version/", "Safari"},
	}
	systems = [][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	}
)

// deviceText makes of a User-Agent what its user recognizes: "Firefox 145 on
// Linux", or, of what is no browser, its first bytes.
func deviceText(userAgent string) string {
	if !strings.HasPrefix(userAgent, "Mozilla/") {
		return plainText(userAgent, maxDevice)
	}
	system := ""
	for _, x := range systems {
		if strings.Contains(userAgent, x[0]) {
			system = " on " + x[1]
			break
		}
	}
	for _, b := range browsers {
		if _, rest, ok := strings.Cut(userAgent, b[0]); ok {
			version := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
			return plainText(b[1]+" "+version, maxDevice-len(system)) + system
		}
	}
	return plainText(userAgent, maxDevice)
}
