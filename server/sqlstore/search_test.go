package sqlstore

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestSearchesAreGivenUpForAWhile searches with budgets that are used up before a page
// is full. The pages together have each message once.
func TestSearchesAreGivenUpForAWhile(t *testing.T) {
	for _, indexed := range []bool{false, true} {
		for _, budget := range []searchBudget{
			{time.Hour, 1, 1 << 30, 1000, 1000}, {time.Hour, 1 << 30, 1, 1000, 1000}, {0, 1 << 30, 1 << 30, 1000, 1000},
			{time.Hour, 1 << 30, 1 << 30, 1, 1000}, {time.Hour, 1 << 30, 1 << 30, 1000, 4},
		} {
			s := openTest(t, Config{})
			me := newUser(t, s, "10000")
			var conversationIDs []int64
			for i := range 3 {
				o, err := s.EnsureDirect(t.Context(), chat.Opening{From: me, To: newUser(t, s, fmt.Sprint(20000+i)), At: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				conversationIDs = append(conversationIDs, o.ConversationID)
			}
			var batch []chat.NewMessage
			for i := range 300 {
				text := "something else"
				if i%50 == 7 {
					text = "needle"
				}
				batch = append(batch, chat.NewMessage{ConversationID: conversationIDs[i%7%3], SenderID: me, Content: text, Type: chat.TypeText})
			}
			if _, err := s.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if indexed {
				if _, err := s.IndexMessages(t.Context(), time.Now().Add(time.Hour), 1000); err != nil {
					t.Fatal(err)
				}
			}
			s.budget = budget
			var ids []int64
			pages := 0
			for before := int64(0); ; pages++ {
				f, err := s.SearchMessages(t.Context(), chat.MessageSearch{UserID: me, Text: "needle", BeforeID: before, Limit: 4})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range f.Messages {
					ids = append(ids, m.ID)
				}
				if f.Next == 0 {
					break
				}
				if before != 0 && f.Next >= before {
					t.Fatalf("budget %+v: the page before id %d continues before %d, want a smaller id", budget, before, f.Next)
				}
				before = f.Next
			}
			descending := slices.IsSortedFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
			if len(ids) != 6 || !descending || pages < 1 {
				t.Errorf("indexed %v, budget %+v: messages %v in %d pages, want 6, the newest first, in more than one", indexed, budget, ids, pages+1)
			}
		}
	}
}
