package chat

import "strings"

const maxDevice = 96 // bytes of the name of a device

// browsers and systems are searched for in a User-Agent in this order, because most
// User-Agents also name other browsers.
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

// deviceText turns a User-Agent into a name that the user recognizes, such as "Firefox 145
// on Linux". For other clients than browsers, it returns the beginning of the User-Agent.
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
