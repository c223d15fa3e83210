//go:build unix

package web_test

import "testing"

// calls makes a video call with pictures on both sides, declines a call, and lets two users
// call each other at once.
func calls(t *testing.T, b *chromium) {
	a := start(t)
	alice, bob := a.pair(t, b)
	alice.button("Video call")
	bob.until(`document.querySelector('.call')?.dataset.stage === 'incoming' && document.title.startsWith('Incoming')`)
	alice.until(`document.querySelector('.call')?.dataset.stage === 'ringing'`)
	bob.shot("incoming")
	bob.button("Accept")
	for _, w := range []*window{alice, bob} {
		w.until(`document.querySelector('.call')?.dataset.stage === 'connected'`)
		w.until(`document.querySelector('.call video.theirs').videoWidth > 0 && !document.querySelector('.call video.theirs').paused`)
		w.until(`document.querySelector('.call video.mine').videoWidth > 0`)
	}
	alice.button("Mute")
	alice.until(`document.querySelector('.control[aria-pressed=true]')`)
	alice.shot("connected")
	alice.button("Hang up")
	alice.until(`!document.querySelector('.call')`)
	bob.sees(`.call`, "The call has ended")

	bob.button("Close")
	bob.button("Call")
	bob.sees(`.call`, "Ringing")
	alice.sees(`.call`, "Incoming call")
	alice.button("Decline")
	bob.sees(`.call`, "The call was declined")
	bob.button("Close")
	bob.until(`!document.querySelector('.call')`)

	// If both call at once, it becomes one call.
	alice.js(`document.querySelector('[aria-label=Call]').click()`)
	bob.js(`document.querySelector('[aria-label=Call]').click()`)
	for _, w := range []*window{alice, bob} {
		w.until(`document.querySelector('.call')`)
	}
	for _, w := range []*window{alice, bob} {
		w.js(`document.querySelector('.call [aria-label=Accept]')?.click()`)
	}
	for _, w := range []*window{alice, bob} {
		w.until(`document.querySelector('.call')?.dataset.stage === 'connected'`)
	}
	bob.button("Hang up")
	alice.sees(`.call`, "The call has ended")
}
