package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// news waits for announcements, and returns the events of groups for a user since the last
// call, in short.
func (n *node) news(t *testing.T, user chat.Caller) (told []string) {
	t.Helper()
	time.Sleep(time.Second) // of the test's own time
	synctest.Wait()
	for _, e := range n.told(user, chat.EventChatUpdate) {
		u := e.Payload.(chat.GroupUpdated)
		line := fmt.Sprintf("%s by %d of %d", u.Change, u.By, u.UserID)
		if u.Title != "" {
			line += " " + u.Title
		}
		if u.Chat != nil {
			line += fmt.Sprintf(" chat %q with %d", u.Chat.Title, u.Chat.MemberCount)
		}
		told = append(told, line)
	}
	return told
}

// TestMembersAreNotifiedOfGroupChanges makes every change.
func TestMembersAreNotifiedOfGroupChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben, cat := w.user(t), w.user(t), w.user(t) // 1, 2, 3
		ann.Conn = 7
		g, err := n.CreateGroup(t.Context(), ann, "g", []int64{ben.UserID})
		if err != nil {
			t.Fatal(err)
		}
		do := func(_ any, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		do(n.AddMember(t.Context(), ann, g.ID, cat.UserID))
		do(n.AddMember(t.Context(), ann, g.ID, cat.UserID)) // already a member: no event
		do(n.SetAdmin(t.Context(), ann, g.ID, ben.UserID, true))
		do(n.SetAdmin(t.Context(), ann, g.ID, ben.UserID, true))
		do(n.SetMuted(t.Context(), ben, g.ID, cat.UserID, true))
		do(n.SetMuted(t.Context(), ben, g.ID, cat.UserID, false))
		do(n.Rename(t.Context(), ben, g.ID, "  h "))
		do(n.SetAdmin(t.Context(), ann, g.ID, ben.UserID, false))
		do(n.Ban(t.Context(), ann, g.ID, cat.UserID))
		do(nil, n.Unban(t.Context(), ann, g.ID, cat.UserID))
		do(n.AddMember(t.Context(), ann, g.ID, cat.UserID))
		do(nil, n.RemoveMember(t.Context(), ann, g.ID, cat.UserID))
		do(nil, n.RemoveMember(t.Context(), ann, g.ID, ann.UserID))
		do(nil, n.DeleteGroup(t.Context(), ben, g.ID))
		all := []string{
			`created by 1 of 0 chat "g" with 2`,
			`added by 1 of 3 chat "g" with 3`,
			`promoted by 1 of 2`,
			`muted by 2 of 3`,
			`unmuted by 2 of 3`,
			`renamed by 2 of 0 h`,
			`demoted by 1 of 2`,
			`banned by 1 of 3`,
			`unbanned by 1 of 3`,
			`added by 1 of 3 chat "h" with 3`,
			`removed by 1 of 3`,
			`left by 1 of 1`,
			`owner by 1 of 2`,
			`deleted by 2 of 0`,
		}
		of3 := all[1:11]
		if got := n.news(t, ben); !slices.Equal(got, all) {
			t.Errorf("a member was told\n%s", strings.Join(got, "\n"))
		}
		if got := n.news(t, cat); !slices.Equal(got, of3) {
			t.Errorf("who came and went was told\n%s", strings.Join(got, "\n"))
		}
		if got := n.news(t, ann); !slices.Equal(got, all[:12]) {
			t.Errorf("the owner was told\n%s", strings.Join(got, "\n"))
		}
		for _, e := range n.told(ann, chat.EventChatUpdate) {
			if by := e.Payload.(chat.GroupUpdated).By; (e.Except == 7) != (by == ann.UserID) {
				t.Errorf("the device that did it: %+v", e)
			}
		}
	})
}

// TestRenameAndDeletePermissions also checks that a refused change notifies nobody.
func TestRenameAndDeletePermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		owner, admin, member, stranger := w.user(t), w.user(t), w.user(t), w.user(t)
		g := newGroup(t, n, owner, admin, member)
		m := n.send(t, owner, member.UserID, "1")
		page, err := n.Dialogs(t.Context(), owner, chat.Paging{})
		if err != nil || m.Seq != 1 {
			t.Fatal(err)
		}
		direct := page.Items[slices.IndexFunc(page.Items, func(d chat.Dialog) bool { return d.Kind == chat.Direct })].ID
		before := len(n.news(t, owner))
		rename := func(c chat.Caller, id int64, title string) error {
			_, err := n.Rename(t.Context(), c, id, title)
			return err
		}
		for what, c := range map[string]struct {
			err  error
			kind chat.Kind
		}{
			"a member renames":          {rename(member, g, "x"), chat.KindForbidden},
			"a stranger renames":        {rename(stranger, g, "x"), chat.KindNotFound},
			"nothing is renamed":        {rename(owner, 4711, "x"), chat.KindNotFound},
			"a direct one is renamed":   {rename(owner, direct, "x"), chat.KindInvalid},
			"no title":                  {rename(owner, g, " \t"), chat.KindInvalid},
			"a long title":              {rename(owner, g, strings.Repeat("x", 257)), chat.KindInvalid},
			"a title that is no text":   {rename(owner, g, "\xff"), chat.KindInvalid},
			"an admin deletes":          {n.DeleteGroup(t.Context(), admin, g), chat.KindForbidden},
			"a member deletes":          {n.DeleteGroup(t.Context(), member, g), chat.KindForbidden},
			"a stranger deletes":        {n.DeleteGroup(t.Context(), stranger, g), chat.KindNotFound},
			"a direct one is deleted":   {n.DeleteGroup(t.Context(), owner, direct), chat.KindInvalid},
			"what is not there deletes": {n.DeleteGroup(t.Context(), owner, 4711), chat.KindNotFound},
		} {
			if chat.KindOf(c.err) != c.kind {
				t.Errorf("%s: %v, want %s", what, c.err, c.kind)
			}
		}
		if got := len(n.news(t, owner)); got != before {
			t.Errorf("%d changes were told", got-before)
		}
		if err := rename(admin, g, "by an admin"); err != nil {
			t.Error(err)
		}
	})
}

// TestDeletedGroup: for all members, on every node, the group, its messages and its files
// are gone.
func TestDeletedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, there := w.node(t, nil), w.node(t, nil)
		owner, member := w.user(t), w.user(t)
		g := newGroup(t, here, owner, member)
		f, err := here.Upload(t.Context(), owner, chat.Upload{Name: "a", Body: strings.NewReader("bytes")})
		if err != nil {
			t.Fatal(err)
		}
		draft := chat.Draft{Target: chat.Target{ChatID: g}, Type: chat.TypeFile, FileID: f.ID, ClientMsgID: "1"}
		m, err := there.Send(t.Context(), owner, draft)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := there.Send(t.Context(), member, chat.Draft{Target: chat.Target{ChatID: g}, Content: "x"}); err != nil {
			t.Fatal(err)
		}
		if err := here.DeleteGroup(t.Context(), owner, g); err != nil {
			t.Fatal(err)
		}
		if err := here.DeleteGroup(t.Context(), owner, g); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("deleted again: %v", err)
		}
		here.news(t, owner)
		for _, c := range []chat.Caller{owner, member} {
			if _, err := here.Message(t.Context(), c, m.ID); chat.KindOf(err) != chat.KindNotFound {
				t.Errorf("a message of it: %v", err)
			}
			if groups, err := here.Groups(t.Context(), c, chat.Paging{}); err != nil || len(groups.Items) != 0 {
				t.Errorf("groups %+v, %v", groups.Items, err)
			}
			draft := chat.Draft{Target: chat.Target{ChatID: g}, Content: "after"}
			if _, err := here.Send(t.Context(), c, draft); chat.KindOf(err) != chat.KindNotFound {
				t.Errorf("a message after it: %v", err)
			}
			if _, err := there.Send(t.Context(), c, draft); chat.KindOf(err) != chat.KindForbidden { // its cache is stale
				t.Errorf("a message after it, there: %v", err)
			}
		}
		if _, err := here.Send(t.Context(), owner, draft); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("a retry: %v", err)
		}
		if _, err := here.File(t.Context(), member, f.ID); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("its file: %v", err)
		}
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		if _, err := here.File(t.Context(), owner, f.ID); chat.KindOf(err) != chat.KindNotFound {
			t.Errorf("its file, a day later: %v", err)
		}
	})
}

// TestAcceptedGroupRequestAddsMember: for the group, the inviter added the member.
func TestAcceptedGroupRequestAddsMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil, contactsOnly)
		ann, ben := w.user(t), w.user(t)
		g, err := n.CreateGroup(t.Context(), ann, "g", []int64{ben.UserID})
		if err != nil {
			t.Fatal(err)
		}
		if got := n.news(t, ben); len(got) != 0 {
			t.Errorf("told before he accepts: %v", got)
		}
		if _, err := n.Accept(t.Context(), ben, n.waiting(t, ben)[0].ID); err != nil {
			t.Fatal(err)
		}
		want := []string{`added by 1 of 2 chat "g" with 2`}
		if got := n.news(t, ben); !slices.Equal(got, want) {
			t.Errorf("told %v", got)
		}
		if got := n.news(t, ann); len(got) != 2 || got[1] != want[0] {
			t.Errorf("the one who asked was told %v", got)
		}
		if err := n.DeleteGroup(t.Context(), ann, g.ID); err != nil {
			t.Fatal(err)
		}
	})
}
