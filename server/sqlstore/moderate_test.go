package sqlstore

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestStaffsReadingIsGivenUpForAWhile lists messages for the staff with budgets that are
// used up before a page is full. The pages together have each message once.
func TestStaffsReadingIsGivenUpForAWhile(t *testing.T) {
	s := openTest(t, Config{})
	rare, often := newUser(t, s, "10000"), newUser(t, s, "10001")
	var groups []int64
	for i := range 5 {
		g, err := s.CreateGroup(t.Context(), "g", often, []int64{rare}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g.ID)
		if i == 4 { // a group that the rare sender has left
			_, err := s.ChangeMember(t.Context(), chat.MemberChange{
				ConversationID: g.ID, ActorID: often, UserID: rare, Decide: func(_ chat.Member, m *chat.Member) error { *m = chat.Member{}; return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var batch []chat.NewMessage
	for i := range 1000 {
		from := often
		if i%97 == 3 && i%11%5 != 4 {
			from = rare
		}
		batch = append(batch, chat.NewMessage{ConversationID: groups[i%11%5], SenderID: from, Content: fmt.Sprint(i), Type: chat.TypeText})
	}
	stored, err := s.Append(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	ids := func(of func(chat.Message) bool) (ids []int64) {
		for _, r := range slices.Backward(stored) {
			if of(r.Message) {
				ids = append(ids, r.Message.ID)
			}
		}
		return ids
	}
	for _, c := range []struct {
		q    chat.ModerationQuery
		want []int64
	}{
		{chat.ModerationQuery{}, ids(func(chat.Message) bool { return true })},
		{chat.ModerationQuery{SenderID: rare}, ids(func(m chat.Message) bool { return m.SenderID == rare })},
		{chat.ModerationQuery{SenderID: often}, ids(func(m chat.Message) bool { return m.SenderID == often })},
		{chat.ModerationQuery{ConversationID: groups[0]}, ids(func(m chat.Message) bool { return m.ChatID == groups[0] })},
		{chat.ModerationQuery{ConversationID: groups[4], SenderID: often}, ids(func(m chat.Message) bool { return m.ChatID == groups[4] })},
		{chat.ModerationQuery{ConversationID: groups[1], SenderID: rare}, ids(func(m chat.Message) bool { return m.SenderID == rare && m.ChatID == groups[1] })},
	} {
		for _, budget := range []searchBudget{defaultBudget, {time.Hour, 1, 1 << 30, 1, 1}, {time.Hour, 1 << 30, 1, 1, 1}, {0, 1 << 30, 1 << 30, 1, 1}} {
			s.budget = budget
			var got []int64
			q, short := c.q, 0
			for q.Limit, q.BeforeID = 7, 1<<62; ; {
				f, err := s.AllMessages(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range f.Messages {
					got = append(got, m.ID)
				}
				if f.Next == 0 {
					break
				}
				if len(f.Messages) < 7 {
					short++
				}
				if f.Next >= q.BeforeID {
					t.Fatalf("%+v: the page before id %d continues before %d, want a smaller id", c.q, q.BeforeID, f.Next)
				}
				q.BeforeID = f.Next
			}
			descending := slices.IsSortedFunc(got, func(a, b int64) int { return cmp.Compare(b, a) })
			if !slices.Equal(got, c.want) || !descending || len(got) == 0 {
				t.Errorf("%+v with budget %+v: %d messages, want %d, each once, the newest first", c.q, budget, len(got), len(c.want))
			}
			if budget == defaultBudget && short > 0 || budget != defaultBudget && c.q.SenderID == rare && short == 0 {
				t.Errorf("%+v with budget %+v: %d pages were cut short", c.q, budget, short)
			}
		}
	}
}

// TestAnalysisIsGivenUp: if the budget ends before all messages are counted, MoreMessages
// is set.
func TestAnalysisIsGivenUp(t *testing.T) {
	s := openTest(t, Config{})
	ann, ben := newUser(t, s, "10000"), newUser(t, s, "10001")
	for _, messages := range []int{100, countChunk + 100, 100} {
		g, err := s.CreateGroup(t.Context(), "g", ann, []int64{ben}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]chat.NewMessage, messages)
		for i := range batch {
			batch[i] = chat.NewMessage{ConversationID: g.ID, SenderID: []int64{ann, ben}[i%2], Content: "x", Type: chat.TypeText}
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	const all, first = countChunk/2 + 150, countChunk / 2 // first is what one statement counts
	for budget, want := range map[searchBudget]chat.Analysis{
		defaultBudget:                                         {Messages: all, Chats: 3},
		{within: 0, rows: 1 << 20}:                            {MoreMessages: true, Chats: 3},
		{within: time.Hour, rows: 0}:                          {MoreMessages: true, Chats: 3},
		{within: time.Hour, rows: 1}:                          {Messages: first, MoreMessages: true, Chats: 3},
		{within: time.Hour, rows: countChunk / countRows * 2}: {Messages: all, Chats: 3},
	} {
		s.budget = budget
		if got, err := s.Analysis(t.Context(), ann); err != nil || got != want {
			t.Errorf("with budget %+v: %+v, want %+v: %v", budget, got, want, err)
		}
	}
}
