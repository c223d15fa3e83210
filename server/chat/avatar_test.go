package chat

import "testing"

func TestNamesFile(t *testing.T) {
	for avatar, want := range map[string]bool{
		"/api/files/12": true, "/api/files/12/download": true, "https://im.example/api/files/12?x": true,
		"/api/files/123": false, "/api/files/1": false, "/api/files/": false, "": false, "12": false,
	} {
		if got := namesFile(avatar, 12); got != want {
			t.Errorf("%q: %v", avatar, got)
		}
	}
}
