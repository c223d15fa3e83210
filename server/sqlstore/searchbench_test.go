package sqlstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// benchTexts returns n texts of the usual length; some of their words are rare.
func benchTexts(n int) []string {
	syllables := strings.Fields("ba ter ing so me con tri al en der mo ra ti on pre qu es lo ve ch 你 好 天 气 今 明 去 吃 饭")
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for k := range 14 {
			b.WriteString(syllables[(i*7+k*k*(1+i%13))%len(syllables)])
			if k%3 == 2 {
				b.WriteByte(' ')
			}
		}
		if i%5000 == 0 {
			b.WriteString(" zebra 斑馬")
		}
		texts[i] = b.String()
	}
	return texts
}

// spread stores texts in many conversations of one user.
func spread(b *testing.B, s *Store, texts []string) (me int64) {
	b.Helper()
	const conversations, size = 20, 250
	me = newUser(b, s, "9000")
	var ids []int64
	for i := range conversations {
		o, err := s.EnsureDirect(b.Context(), chat.Opening{From: me, To: newUser(b, s, fmt.Sprint(9001+i)), At: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, o.ConversationID)
	}
	for from := 0; from < len(texts); from += size {
		var batch []chat.NewMessage
		for i, text := range texts[from:min(from+size, len(texts))] {
			batch = append(batch, chat.NewMessage{ConversationID: ids[(from+i)%conversations], SenderID: me, Content: text, Type: chat.TypeText, CreatedAt: time.Now()})
		}
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return me
}

// BenchmarkIndex measures the CPU time per message for storing and for indexing, and the
// bytes of the index.
func BenchmarkIndex(b *testing.B) {
	engines(b, func(b *testing.B, empty func() Config) {
		const n = 8000
		texts := benchTexts(n)
		for b.Loop() {
			s := openTest(b, empty())
			before := cpu(b) + serverCPU(b)
			spread(b, s, texts)
			stored := cpu(b) + serverCPU(b)
			for more := true; more; {
				done, err := s.IndexMessages(b.Context(), time.Now().Add(time.Hour), 1000)
				if err != nil {
					b.Fatal(err)
				}
				more = done.More
			}
			indexed := cpu(b) + serverCPU(b)
			b.ReportMetric(float64((stored-before).Microseconds())/n, "store-cpu-µs/msg")
			b.ReportMetric(float64((indexed-stored).Microseconds())/n, "index-cpu-µs/msg")
			var bytes int64
			if err := row(b.Context(), s.read, `SELECT SUM(LENGTH(grams)) FROM search_blocks`, nil, &bytes); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(bytes)/n, "B/msg")
		}
	})
}

// BenchmarkSearch searches for common, rare and missing words, with and without an
// index.
func BenchmarkSearch(b *testing.B) {
	engines(b, func(b *testing.B, empty func() Config) {
		s := openTest(b, empty())
		me := spread(b, s, benchTexts(40_000))
		for _, indexed := range []bool{false, true} {
			for more := indexed; more; {
				done, err := s.IndexMessages(b.Context(), time.Now().Add(time.Hour), 1000)
				if err != nil {
					b.Fatal(err)
				}
				more = done.More
			}
			for _, q := range []string{"con", "zebra", "斑馬", "馬", "nothing like it"} {
				b.Run(fmt.Sprintf("indexed=%v/%s", indexed, q), func(b *testing.B) {
					pages := 0
					for b.Loop() {
						for before := int64(0); ; {
							f, err := s.SearchMessages(b.Context(), chat.MessageSearch{UserID: me, Text: q, BeforeID: before, Limit: 50})
							if err != nil {
								b.Fatal(err)
							}
							pages++
							if before = f.Next; before == 0 || len(f.Messages) == 50 {
								break
							}
						}
					}
					b.ReportMetric(float64(pages)/float64(b.N), "pages")
				})
			}
		}
	})
}
