package sqlstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// blockSize is the number of messages in a block. If it is smaller, a search reads
// more signatures; if it is larger, more messages that do not match.
const blockSize = 32

// storedBlocks is the most blocks that one transaction stores: few, so that it does
// not delay messages.
const storedBlocks = 16

// A blockKey identifies a block: end is the seq of its last message.
type blockKey struct{ conversation, end int64 }

// blockOf returns the block of a message. The block may not exist yet.
func blockOf(conversation, seq int64) blockKey {
	return blockKey{conversation, seq + (blockSize-seq%blockSize)%blockSize}
}

// A block is a run of blockSize messages of a conversation.
type block struct {
	blockKey
	firstID, lastID int64
	grams           signature
	version         int64 // of the messages from which grams was made
}

// IndexMessages implements chat.SearchStore. It goes through messages by id, and
// makes a block when it finds the block's last message. If several nodes do this at
// the same time, the first one stores the block.
func (s *Store) IndexMessages(ctx context.Context, before time.Time, limit int) (chat.Indexed, error) {
	done, err := s.index(ctx, before, limit)
	return done, s.fail(ctx, "index messages", err)
}

func (s *Store) index(ctx context.Context, before time.Time, limit int) (done chat.Indexed, err error) {
	if err := s.renewBlocks(ctx); err != nil {
		return done, err
	}
	from, err := one(ctx, s.read, scanID, `SELECT message_id FROM search_progress WHERE id = 1`)
	if err != nil {
		return done, err
	}
	upTo, looked, err := s.oldEnough(ctx, from, before, limit)
	if err != nil {
		return done, err
	}
	done.Messages = looked
	ends, err := s.blockEnds(ctx, from, upTo)
	if err != nil {
		return done, err
	}
	if err := s.makeBlocks(ctx, ends); err != nil {
		return chat.Indexed{}, err
	}
	if done.Messages == 0 {
		return done, nil
	}
	r, err := exec(ctx, s.write, `UPDATE search_progress SET message_id = ? WHERE id = 1 AND message_id = ?`, upTo, from)
	if err != nil {
		return done, err
	}
	n, err := r.RowsAffected()
	done.Overtaken, done.More = n == 0, done.Messages == limit
	return done, err
}

// oldEnough looks at up to limit messages after the id from. It returns the last id
// of those that are older than before, and their number; from if there is none.
// Newer messages are left out, because transactions with smaller ids may not be
// committed yet.
func (s *Store) oldEnough(ctx context.Context, from int64, before time.Time, limit int) (upTo int64, looked int, err error) {
	var latest int64
	err = row(ctx, s.read, `SELECT COALESCE(MAX(k.id), ?), COUNT(*), COALESCE(MAX(k.created_at), 0)
		FROM (SELECT id, created_at FROM messages WHERE id > ? ORDER BY id LIMIT ?) k`, []any{from, from, limit}, &upTo, &looked, &latest)
	if err != nil || looked == 0 || latest < micros(before) {
		return upTo, looked, err
	}
	places, err := s.Since(ctx, from, limit)
	upTo, looked = from, 0
	for _, p := range places {
		if !p.CreatedAt.Before(before) {
			break
		}
		upTo = p.ID
		looked++
	}
	return upTo, looked, err
}

// blockEnds returns the conversations in which messages with these ids completed
// blocks, with the seq up to which they did.
func (s *Store) blockEnds(ctx context.Context, from, upTo int64) (map[int64]int64, error) {
	ends := make(map[int64]int64)
	_, err := collect(ctx, s.read, func(r scanner) (struct{}, error) {
		var id, seq int64
		err := r.Scan(&id, &seq)
		ends[id] = max(ends[id], seq)
		return struct{}{}, err
	}, `SELECT conversation_id, seq FROM messages WHERE id > ? AND id <= ? AND seq % ? = 0`, from, upTo, blockSize)
	return ends, err
}

// makeBlocks makes the missing blocks of conversations up to the given seqs, in
// order, so that there are no gaps between blocks.
func (s *Store) makeBlocks(ctx context.Context, ends map[int64]int64) error {
	var made []block
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		last, err := one(ctx, s.read, scanID, `SELECT COALESCE(MAX(last_seq), 0) FROM search_blocks WHERE conversation_id = ?`, id)
		if err != nil {
			return err
		}
		for end := last + blockSize; end <= ends[id]; end += blockSize {
			b, err := s.sign(ctx, blockKey{id, end})
			if err != nil {
				return err
			}
			if made = append(made, b); len(made) == storedBlocks {
				if err := s.storeBlocks(ctx, made, insertBlock); err != nil {
					return err
				}
				made = made[:0]
			}
		}
	}
	return s.storeBlocks(ctx, made, insertBlock)
}

// sign reads the messages of a block and computes its signature.
func (s *Store) sign(ctx context.Context, key blockKey) (block, error) {
	b := block{blockKey: key}
	texts, err := collect(ctx, s.read, func(r scanner) (text string, err error) {
		var updated int64
		err = r.Scan(&b.lastID, &text, &updated)
		if b.firstID == 0 {
			b.firstID = b.lastID
		}
		b.version += updated
		return text, err
	}, `SELECT id, content, updated_at FROM messages WHERE conversation_id = ? AND seq > ? AND seq <= ? ORDER BY seq`,
		b.conversation, b.end-blockSize, b.end)
	b.grams = signatureOf(texts)
	return b, err
}

// storeBlocks stores blocks with put. If messages of a block have changed since they
// were read, it stores the block without grams.
func (s *Store) storeBlocks(ctx context.Context, blocks []block, put func(context.Context, *Store, querier, block) error) error {
	if len(blocks) == 0 {
		return nil
	}
	return s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		for _, b := range blocks {
			version, err := one(ctx, t, scanID, `SELECT COALESCE(SUM(updated_at), 0) FROM messages
				WHERE conversation_id = ? AND seq > ? AND seq <= ?`+s.dialect.forShare, b.conversation, b.end-blockSize, b.end)
			if err != nil {
				return err
			}
			if version != b.version {
				b.grams = signature{}
			}
			if err := put(ctx, s, t, b); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertBlock(ctx context.Context, s *Store, t querier, b block) error {
	_, err := exec(ctx, t, `INSERT INTO search_blocks (conversation_id, last_seq, first_id, last_id, grams) VALUES (?, ?, ?, ?, ?)`+
		s.dialect.keepOld("last_seq"), b.conversation, b.end, b.firstID, b.lastID, []byte(b.grams))
	return err
}

func updateBlock(ctx context.Context, _ *Store, t querier, b block) error {
	_, err := exec(ctx, t, `UPDATE search_blocks SET grams = ? WHERE conversation_id = ? AND last_seq = ?`,
		[]byte(b.grams), b.conversation, b.end)
	return err
}

// clearBlock clears the signature of a block. The transaction that changes the text
// of a message calls it after the change.
func clearBlock(ctx context.Context, t querier, b blockKey) error {
	_, err := exec(ctx, t, `UPDATE search_blocks SET grams = ? WHERE conversation_id = ? AND last_seq = ?`, []byte{}, b.conversation, b.end)
	return err
}

// staleBlocks is the most blocks that wait for a new signature. The next search
// finds those that do not fit.
const staleBlocks = 256

// renew queues a block for a new signature. It does not block.
func (s *Store) renew(b blockKey) {
	select {
	case s.stale <- b:
	default:
	}
}

// renewBlocks computes new signatures for the queued blocks.
func (s *Store) renewBlocks(ctx context.Context) error {
	var blocks []block
	for range min(len(s.stale), storedBlocks) {
		select {
		case key := <-s.stale:
			b, err := s.sign(ctx, key)
			if err != nil {
				return err
			}
			blocks = append(blocks, b)
		default: // another call was faster
		}
	}
	return s.storeBlocks(ctx, blocks, updateBlock)
}
