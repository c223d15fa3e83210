package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/server/chat"
)

// banned is a condition: user k is banned at a time.
const banned = `EXISTS (SELECT 1 FROM bans b WHERE b.user_id = k.id AND (b.until = 0 OR b.until > ?))`

// Accounts implements chat.StaffStore.
func (s *Store) Accounts(ctx context.Context, q chat.AccountQuery) ([]chat.Account, int64, error) {
	f := accountFilter(q)
	total, err := f.count(ctx, s, "users k", q.Count)
	if err != nil {
		return nil, 0, s.fail(ctx, "accounts", err)
	}
	ids, err := collect(ctx, s.read, scanID, `SELECT k.id FROM users k WHERE `+f.where()+` ORDER BY k.id DESC LIMIT ? OFFSET ?`,
		append(f.args, q.Limit, q.Offset)...)
	if err != nil {
		return nil, 0, s.fail(ctx, "accounts", err)
	}
	accounts, err := s.accounts(ctx, q, ids)
	return accounts, total, err
}

func accountFilter(q chat.AccountQuery) (f filter) {
	f.add("k.id > 0")
	if q.Name != "" {
		from := []byte(cut(strings.ToLower(q.Name), maxPart))
		f.add(`k.id IN (SELECT p.user_id FROM user_parts p WHERE p.part >= ? AND p.part < ?)`, from, append(slices.Clone(from), 0xff))
	}
	if q.Phone != "" { // has digits and +; the next character after them is :
		f.add(`k.phone >= ? AND k.phone < ?`, q.Phone, q.Phone+":")
	}
	if q.Role != "" {
		f.add(`k.role = ?`, string(q.Role))
	}
	switch q.Status {
	case chat.AccountBanned:
		f.add(banned, micros(q.At))
	case chat.AccountActive:
		f.add(`k.deleted_at = 0 AND NOT `+banned, micros(q.At))
	case chat.AccountGone:
		f.add(`k.deleted_at <> 0`)
	}
	return f
}

// accounts reads the accounts of ids, in their order.
func (s *Store) accounts(ctx context.Context, q chat.AccountQuery, ids []int64) ([]chat.Account, error) {
	users, err := s.Users(ctx, ids)
	if err != nil {
		return nil, err
	}
	bans, err := s.bans(ctx, ids)
	if err != nil {
		return nil, s.fail(ctx, "bans", err)
	}
	accounts := make([]chat.Account, len(users))
	for i, u := range users {
		accounts[i] = chat.Account{User: u, Status: chat.AccountActive}
		if u.Deleted {
			accounts[i].Status = chat.AccountGone
			continue
		}
		if b, ok := bans[u.ID]; ok && inForce(b, q.At) {
			accounts[i].Status, accounts[i].Ban = chat.AccountBanned, &b
		}
	}
	return accounts, nil
}

func (s *Store) bans(ctx context.Context, ids []int64) (map[int64]chat.Ban, error) {
	bans := make(map[int64]chat.Ban)
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		_, err := collect(ctx, s.read, func(r scanner) (struct{}, error) {
			var id int64
			b, err := scanBan(after{r, []any{&id}})
			bans[id] = b
			return struct{}{}, err
		}, `SELECT `+banColumns+`, b.user_id FROM bans b WHERE b.user_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
	}
	return bans, nil
}

// Numbers implements chat.StaffStore. It reads every row that it counts. The service
// calls it at most every 15 s.
func (s *Store) Numbers(ctx context.Context, d chat.Day) (n chat.Numbers, err error) {
	midnight := micros(d.Midnight)
	err = row(ctx, s.read, `SELECT COUNT(*), COALESCE(SUM(k.created_at >= ?), 0), COALESCE(SUM(k.last_seen >= ?), 0)
		FROM users k WHERE k.deleted_at = 0`,
		[]any{midnight, midnight}, &n.Users, &n.NewUsersToday, &n.ActiveToday)
	if err == nil {
		err = row(ctx, s.read, `SELECT COUNT(*), COALESCE(SUM(k.last_seq), 0) FROM conversations k`, nil, &n.Chats, &n.Messages)
	}
	if err == nil {
		err = row(ctx, s.read, `SELECT COUNT(*) FROM bans k WHERE k.until = 0 OR k.until > ?`, []any{micros(d.Now)}, &n.BannedUsers)
	}
	if err == nil {
		err = row(ctx, s.read, `SELECT COUNT(*) FROM reports k WHERE k.pending = 1`, nil, &n.PendingReports)
	}
	if err == nil {
		_, n.Storage, err = s.FileBytes(ctx, everybody)
	}
	if err != nil {
		return n, s.fail(ctx, "numbers", err)
	}
	before, err := s.MessageIDBefore(ctx, d.Midnight)
	if err == nil {
		err = row(ctx, s.read, `SELECT COUNT(*) FROM messages k WHERE k.id > ?`, []any{before}, &n.MessagesToday)
	}
	return n, s.fail(ctx, "numbers", err)
}

const analysisQuery = `SELECT
	(SELECT COUNT(*) FROM members f WHERE f.user_id = ? AND f.state = 0),
	(SELECT COUNT(*) FROM reports f WHERE f.user_id = ? AND f.pending IS NULL AND f.action <> ?),
	(SELECT COUNT(*) FROM reports f WHERE f.user_id = ?)`

// Analysis implements chat.StaffStore.
func (s *Store) Analysis(ctx context.Context, userID int64) (a chat.Analysis, err error) {
	err = row(ctx, s.read, analysisQuery, []any{userID, userID, string(chat.ReportDismiss), userID}, &a.Chats, &a.Violations, &a.Reported)
	if err == nil {
		a.Messages, a.MoreMessages, err = s.countOf(ctx, userID)
	}
	return a, s.fail(ctx, "analysis", err)
}
