package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxSearchText  = 256 // bytes
	maxSearchWords = 8
	searchesOfUser = 2 // concurrent searches of a user
	searchesOfNode = 2 // concurrent searches of a node: fewer than the store's readers, so that other reads need not wait
)

// A TextSearch selects messages that contain all words of Text, in any order, ignoring
// case. A word may be a part of a longer one.
type TextSearch struct {
	Target   // zero: all conversations of the caller
	Text     string
	BeforeID int64 // messages before this one; 0: from the newest
	Limit    int   // 0 means 50; at most 200
}

func (t TextSearch) check(what string) error {
	switch words := len(strings.Fields(t.Text)); {
	case words == 0:
		return Errorf(KindInvalid, what, "q is required")
	case len(t.Text) > maxSearchText:
		return Errorf(KindInvalid, what, "q can have at most %d bytes", maxSearchText)
	case words > maxSearchWords:
		return Errorf(KindInvalid, what, "q can have at most %d words", maxSearchWords)
	case !utf8.ValidString(t.Text):
		return Errorf(KindInvalid, what, "q is not valid UTF-8")
	case t.BeforeID < 0 || t.Limit < 0:
		return Errorf(KindInvalid, what, "before_id and limit must not be negative")
	}
	return nil
}

// SearchMessages finds messages of the caller's conversations by their text, the newest
// first. A call may end early: see Found. If the caller searches too much, the error is
// RateLimited.
func (s *Service) SearchMessages(ctx context.Context, c Caller, t TextSearch) (Found, error) {
	const what = "messages not searched"
	if err := t.check(what); err != nil {
		return Found{}, err
	}
	q := MessageSearch{UserID: c.UserID, Text: t.Text, BeforeID: t.BeforeID, Limit: pageSize(t.Limit)}
	if t.Target != (Target{}) {
		membership, err := s.membershipOf(ctx, c.UserID, t.Target, what)
		if errors.Is(err, errNoDirect) {
			return Found{}, nil
		}
		if err != nil {
			return Found{}, err
		}
		q.ConversationID = membership.Conversation.ID
	}
	if s.cfg.TextSearches != nil {
		if wait := s.cfg.TextSearches.Take(ctx, c.UserID); wait > 0 {
			return Found{}, tooFast(what, "too many searches", wait)
		}
	}
	place := fmt.Sprint("search ", c.UserID)
	if !s.inFlight.enter(place, searchesOfUser) {
		return Found{}, tooFast(what, "too many searches at once", time.Second)
	}
	defer s.inFlight.leave(place)
	return s.search(ctx, q)
}

// search waits until fewer than searchesOfNode searches run.
func (s *Service) search(ctx context.Context, q MessageSearch) (found Found, err error) {
	start := s.cfg.Now()
	defer func() { s.cfg.Hooks.searched(ctx, len(found.Messages) == q.Limit, found, s.cfg.Now().Sub(start), err) }()
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return Found{}, ctx.Err()
	}
	if found, err = s.cfg.Store.SearchMessages(ctx, q); err != nil {
		return Found{}, err
	}
	if err = s.listWithoutTraces(ctx, q.UserID, found.Messages); err != nil {
		return Found{}, err
	}
	for i := range found.Messages {
		if found.Messages[i].Sender, err = s.profile(ctx, q.UserID, found.Messages[i].SenderID); err != nil {
			return Found{}, err
		}
	}
	return found, nil
}

// Messages are indexed in short steps, with pauses for other work.
const (
	indexChunk  = 1000             // messages of a step
	indexFirst  = 5 * time.Second  // delay of the first step
	indexEvery  = time.Minute      // pause if there is nothing to do
	indexAfter  = 30 * time.Second // age of indexed messages: more than a transaction takes, so that no smaller ids follow
	indexPauses = 3                // a pause is this many times as long as its step
	indexYields = 2 * time.Minute  // pause if another node indexes, or the store fails
)

// index indexes messages for searches until the Service is closed.
func (s *Service) index() {
	wait := time.NewTimer(indexFirst)
	defer wait.Stop()
	for {
		select {
		case <-s.background.Done():
			return
		case <-wait.C:
			wait.Reset(s.indexOnce())
		}
	}
}

// indexOnce does one step, and returns how long to pause after it.
func (s *Service) indexOnce() time.Duration {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	start := time.Now()
	done, err := s.cfg.Store.IndexMessages(ctx, s.cfg.Now().Add(-indexAfter), indexChunk)
	switch {
	case err != nil:
		if s.background.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "messages not indexed; searches are slower until it succeeds", "err", err)
		}
		return indexYields
	case done.Overtaken:
		return indexYields
	}
	if done.More {
		return indexPauses * time.Since(start)
	}
	return indexEvery
}
