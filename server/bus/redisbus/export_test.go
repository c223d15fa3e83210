package redisbus

import "time"

// Line is the first line of a message.
func Line(node string, n uint64, sent time.Time, kind string) string {
	return string(item{kind: kind, n: n, sent: sent}.encode(node))
}

// EncodeIDs is what crosses the channel of recipients.
func EncodeIDs(list []int64) []byte {
	text, _ := ids(list).MarshalText()
	return text
}
