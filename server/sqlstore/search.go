package sqlstore

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A searchBudget bounds the cost of one search. A search that has used it up returns
// how far it has come.
type searchBudget struct {
	within time.Duration
	rows   int // messages to read
	bytes  int // of their text
	blocks int // signatures to read
	listed int // blocks to list; more than a user has conversations
}

var defaultBudget = searchBudget{within: time.Second, rows: 20_000, bytes: 32 << 20, blocks: 8192, listed: 16_384}

// SearchMessages implements chat.SearchStore. It goes through stretches of the user's
// conversations, the one with the newest message first. If a stretch is a block, it
// reads the signature first, and the messages only if they may match. It reads
// messages that are in no block yet.
func (s *Store) SearchMessages(ctx context.Context, q chat.MessageSearch) (chat.Found, error) {
	x := &searching{s: s, q: q, budget: s.budget, start: time.Now(), conversations: make(map[int64]*searchedConversation)}
	found, err := x.run(ctx)
	return found, s.fail(ctx, "search messages", err)
}

// searching is one run of SearchMessages.
type searching struct {
	s      *Store
	q      chat.MessageSearch
	budget searchBudget // the rest of it
	start  time.Time

	staff  bool  // find all messages of conversations, whoever may see them, and not words
	sender int64 // with staff, only messages of this user; 0: of all

	words []string // folded; a match has all of them
	grams []gram   // the block of a match has all of them
	todo  stretches
	hits  []hit // newest first

	conversations map[int64]*searchedConversation
}

// A searchedConversation is a conversation to search.
type searchedConversation struct {
	id, last, cleared int64
	hides             bool
	lastID            int64 // of its last message
	indexed           int64 // the seq up to which there are blocks
	tailID            int64 // of the first message after them that is not cleared; 0: none
}

// A stretch is the messages of a conversation with seqs above after, up to upTo.
type stretch struct {
	conversation *searchedConversation
	after, upTo  int64
	top          int64 // no message of it has a larger id
	block        bool  // it is a block; read its signature first
	unplaced     bool  // upTo is not known yet: the last message of the conversation before BeforeID
	end          bool  // has no message; blocks after it were not listed
}

type hit struct{ id, conversation, seq int64 }

func (h hit) spot() spot { return spot{h.conversation, h.seq} }

func (x *searching) run(ctx context.Context) (chat.Found, error) {
	x.words = strings.Fields(fold(x.q.Text))
	slices.Sort(x.words)
	x.words = slices.Compact(x.words)
	for _, w := range x.words {
		x.grams = append(x.grams, gramsOf(w)...)
	}
	if len(x.words) == 0 || x.q.Limit <= 0 {
		return chat.Found{}, nil
	}
	if x.q.BeforeID <= 0 {
		x.q.BeforeID = math.MaxInt64
	}
	if err := x.listConversations(ctx); err != nil {
		return chat.Found{}, err
	}
	if err := x.listBlocks(ctx); err != nil {
		return chat.Found{}, err
	}
	return x.walk(ctx)
}

// walk goes through the listed stretches, the newest first.
func (x *searching) walk(ctx context.Context) (chat.Found, error) {
	heap.Init(&x.todo)
	for size := 4; len(x.todo) > 0 && !x.complete() && !x.exhausted(); size = min(2*size, maxRows) {
		if err := x.step(ctx, size); err != nil {
			return chat.Found{}, err
		}
	}
	return x.answer(ctx)
}

// complete reports whether the page is full, and no remaining stretch is newer.
func (x *searching) complete() bool {
	return len(x.hits) >= x.q.Limit && x.hits[x.q.Limit-1].id > x.todo[0].top
}

// exhausted reports whether to return a partial page, because the budget is used up or
// blocks were not listed. It requires progress since the last page, so that a search
// that continues page by page comes to its end.
func (x *searching) exhausted() bool {
	b, next := x.budget, x.todo[0]
	spent := b.rows <= 0 || b.bytes <= 0 || b.blocks <= 0 || time.Since(x.start) > b.within
	return next.end || spent && next.top+1 < x.q.BeforeID
}

// listConversations lists the messages after the last block of each conversation.
func (x *searching) listConversations(ctx context.Context) error {
	query, args := searchConversations, []any{x.q.UserID}
	if x.q.ConversationID != 0 {
		query, args = searchConversations+searchOneConversation, append(args, x.q.ConversationID)
	}
	return x.addConversations(ctx, query+searchTails, args...)
}

func (x *searching) addConversations(ctx context.Context, query string, args ...any) error {
	conversations, err := collect(ctx, x.s.read, func(r scanner) (*searchedConversation, error) {
		var c searchedConversation
		return &c, r.Scan(&c.id, &c.last, &c.cleared, &c.hides, &c.indexed, &c.lastID, &c.tailID)
	}, query, args...)
	for _, c := range conversations {
		x.conversations[c.id] = c
		if c.tailID != 0 && c.tailID < x.q.BeforeID {
			tail := stretch{conversation: c, after: max(c.indexed, c.cleared), upTo: c.last, top: min(c.lastID, x.q.BeforeID-1)}
			tail.unplaced = c.lastID >= x.q.BeforeID && tail.upTo-tail.after > blockSize
			x.add(tail)
		}
	}
	return err
}

const searchConversations = `SELECT k.id, k.last_seq, k.cleared_seq, k.hides, k.indexed, l.id, COALESCE(f.id, 0)
	FROM (SELECT c.id, c.last_seq, m.cleared_seq, m.hides,
	             COALESCE((SELECT MAX(b.last_seq) FROM search_blocks b WHERE b.conversation_id = c.id), 0) AS indexed
	      FROM members m JOIN conversations c ON c.id = m.conversation_id
	      WHERE m.user_id = ? AND m.state = 0 AND c.last_seq > m.cleared_seq`

const searchTails = `) k
	JOIN messages l ON l.conversation_id = k.id AND l.seq = k.last_seq
	LEFT JOIN messages f ON f.conversation_id = k.id AND f.seq = CASE WHEN k.indexed > k.cleared_seq THEN k.indexed ELSE k.cleared_seq END + 1`

const searchOneConversation = ` AND m.conversation_id = ?`

// listBlocks lists the newest blocks.
func (x *searching) listBlocks(ctx context.Context) error {
	query, args := searchBlocks, []any{x.q.UserID, x.q.BeforeID}
	if x.q.ConversationID != 0 {
		query, args = searchBlocks+searchOneConversation, append(args, x.q.ConversationID)
	}
	most := x.budget.listed
	list, err := collect(ctx, x.s.read, func(r scanner) (stretch, error) {
		var id int64
		b := stretch{block: true}
		err := r.Scan(&id, &b.upTo, &b.top)
		b.conversation = x.conversations[id]
		return b, err
	}, query+` ORDER BY b.last_id DESC LIMIT ?`, append(args, most)...)
	if err != nil {
		return err
	}
	for _, b := range list {
		// listConversations has listed newer ones as messages.
		if b.conversation != nil && b.upTo <= b.conversation.indexed {
			b.after = max(b.upTo-blockSize, b.conversation.cleared)
			b.top = min(b.top, x.q.BeforeID-1)
			x.add(b)
		}
	}
	if len(list) == most {
		x.todo = append(x.todo, stretch{end: true, top: list[most-1].top - 1})
	}
	return nil
}

const searchBlocks = `SELECT b.conversation_id, b.last_seq, b.last_id
	FROM members m JOIN search_blocks b ON b.conversation_id = m.conversation_id
	WHERE m.user_id = ? AND m.state = 0 AND b.last_seq > m.cleared_seq AND b.first_id < ?`

func (x *searching) add(s stretch) {
	if s.after < s.upTo {
		x.todo = append(x.todo, s)
	}
}

// step takes up to size stretches of one kind, and searches them.
func (x *searching) step(ctx context.Context, size int) error {
	var part []stretch
	if x.todo[0].unplaced {
		return x.placeTail(ctx, heap.Pop(&x.todo).(stretch))
	}
	for len(x.todo) > 0 && len(part) < size && !x.todo[0].end && !x.todo[0].unplaced && (len(part) == 0 || x.todo[0].block == part[0].block) {
		part = append(part, heap.Pop(&x.todo).(stretch))
	}
	if part[0].block {
		return x.look(ctx, part)
	}
	return x.read(ctx, part)
}

// placeTail finds the last message of a stretch before BeforeID, by a binary search: in
// a conversation, ids grow with seqs.
func (x *searching) placeTail(ctx context.Context, s stretch) error {
	low, high := s.after+1, s.upTo // low comes before it, as tailID says
	s.top = s.conversation.tailID
	for low < high {
		middle := low + (high-low+1)/2
		id, err := one(ctx, x.s.read, scanID, `SELECT id FROM messages WHERE conversation_id = ? AND seq = ?`, s.conversation.id, middle)
		if err != nil {
			return err
		}
		x.budget.rows--
		if id < x.q.BeforeID {
			low, s.top = middle, id
		} else {
			high = middle - 1
		}
	}
	s.upTo, s.unplaced = low, false
	heap.Push(&x.todo, s)
	return nil
}

// look reads the signatures of blocks, and keeps the blocks that may have matches.
func (x *searching) look(ctx context.Context, part []stretch) error {
	x.budget.blocks -= len(part)
	n := padded(len(part))
	args := make([]any, 0, 2*n)
	for i := range n {
		b := part[min(i, len(part)-1)]
		args = append(args, b.conversation.id, b.upTo)
	}
	ruledOut := make(map[blockKey]bool)
	_, err := collect(ctx, x.s.read, func(r scanner) (struct{}, error) {
		var key blockKey
		var grams []byte
		err := r.Scan(&key.conversation, &key.end, &grams)
		if len(grams) == 0 {
			x.s.renew(key)
		}
		ruledOut[key] = !signature(grams).mayHave(x.grams)
		return struct{}{}, err
	}, lookQuery(n), args...)
	for _, b := range part {
		if !ruledOut[blockKey{b.conversation.id, b.upTo}] {
			b.block = false
			heap.Push(&x.todo, b)
		}
	}
	return err
}

func lookQuery(n int) string {
	return `SELECT conversation_id, last_seq, grams FROM search_blocks WHERE ` + repeat(`(conversation_id = ? AND last_seq = ?)`, " OR ", n)
}

// read reads the newest messages of stretches, up to blockSize of each, and puts the
// rest back.
func (x *searching) read(ctx context.Context, part []stretch) error {
	oldest := make(map[spot]int64) // id of the first message read of each stretch
	n := padded(len(part))
	args := make([]any, 0, 3*n)
	for i := range n {
		s := part[min(i, len(part)-1)]
		from := max(s.after, s.upTo-blockSize)
		args = append(args, s.conversation.id, from, s.upTo)
		oldest[spot{s.conversation.id, from + 1}] = s.top
	}
	hits, err := collect(ctx, x.s.read, func(r scanner) (h hit, err error) {
		var text string
		var sender int64
		var gone bool
		err = r.Scan(&h.id, &h.conversation, &h.seq, &text, &sender, &gone)
		if _, first := oldest[h.spot()]; first {
			oldest[h.spot()] = h.id
		}
		x.budget.rows--
		x.budget.bytes -= len(text)
		if h.id >= x.q.BeforeID || !x.wanted(text, sender, gone) {
			h.id = 0
		}
		return h, err
	}, readQuery(n), args...)
	if err != nil {
		return err
	}
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.id == 0 })
	if hits, err = x.visible(ctx, hits); err != nil {
		return err
	}
	x.hits = append(x.hits, hits...)
	slices.SortFunc(x.hits, func(a, b hit) int { return cmp.Compare(b.id, a.id) })
	x.hits = slices.Compact(x.hits)
	x.hits = x.hits[:min(len(x.hits), x.q.Limit+1)]
	for _, s := range part {
		if s.upTo -= blockSize; s.upTo > s.after {
			s.top = min(s.top, oldest[spot{s.conversation.id, s.upTo + 1}]-1)
			heap.Push(&x.todo, s)
		}
	}
	return nil
}

func readQuery(n int) string {
	return `SELECT x.id, x.conversation_id, x.seq, x.content, COALESCE(x.sender_id, 0), x.recalled + x.deleted FROM messages x
		WHERE ` + repeat(`(x.conversation_id = ? AND x.seq > ? AND x.seq <= ?)`, " OR ", n)
}

func (x *searching) wanted(text string, sender int64, gone bool) bool {
	if x.staff {
		return x.sender == 0 || x.sender == sender
	}
	return !gone && x.matches(text)
}

func (x *searching) matches(text string) bool {
	folded := fold(text)
	for _, w := range x.words {
		if !strings.Contains(folded, w) {
			return false
		}
	}
	return true
}

// visible removes the messages that the user has hidden.
func (x *searching) visible(ctx context.Context, hits []hit) ([]hit, error) {
	var ask []spot
	for _, h := range hits {
		if x.conversations[h.conversation].hides {
			ask = append(ask, h.spot())
		}
	}
	hidden, err := x.s.hiddenOf(ctx, x.q.UserID, ask)
	return slices.DeleteFunc(hits, func(h hit) bool { return hidden[h.spot()] }), err
}

// answer loads the hits, except those that are older than a remaining stretch.
func (x *searching) answer(ctx context.Context) (chat.Found, error) {
	var found chat.Found
	if len(x.todo) > 0 {
		found.Next = x.todo[0].top + 1
		x.hits = slices.DeleteFunc(x.hits, func(h hit) bool { return h.id < found.Next })
	}
	if len(x.hits) > x.q.Limit {
		x.hits = x.hits[:x.q.Limit]
		found.Next = x.hits[x.q.Limit-1].id
	}
	var ids []int64
	for _, h := range x.hits {
		ids = append(ids, h.id)
	}
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, nil)
		list, err := collect(ctx, x.s.read, scanMessage, `SELECT `+messageColumns+`
			FROM messages x JOIN conversations c ON c.id = x.conversation_id WHERE x.id IN (`+in+`) ORDER BY x.id DESC`, args...)
		if err != nil {
			return chat.Found{}, err
		}
		for _, m := range list {
			if x.wanted(m.Content, m.SenderID, m.Recalled || m.Deleted) { // it may have been changed meanwhile
				found.Messages = append(found.Messages, m)
			}
		}
	}
	return found, nil
}

// stretches is a heap, with the newest message first.
type stretches []stretch

func (s stretches) Len() int           { return len(s) }
func (s stretches) Less(i, j int) bool { return s[i].top > s[j].top }
func (s stretches) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *stretches) Push(v any)        { *s = append(*s, v.(stretch)) }
func (s *stretches) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
