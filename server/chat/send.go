package chat

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Send stores a message and returns it. When Send returns, the message is durable. A
// retry with the same ClientMsgID does not store it again, but returns the stored
// message. The message is delivered to the members' connections afterwards, in the order
// of Seq.
//
// Errors: Invalid; TooLarge; NotFound (no such conversation, or the caller is not a
// member); Forbidden (the caller is muted or blocked, has blocked the receiver, or the
// receiver has declined a request of the caller); Conflict (another message has this
// ClientMsgID); RateLimited; Unavailable. If ctx ends first, the message may be stored:
// retry with the same ClientMsgID.
func (s *Service) Send(ctx context.Context, c Caller, d Draft) (Message, error) {
	type outcome struct {
		m   Message
		err error
	}
	done := make(chan outcome, 1)
	s.SendFunc(ctx, c, d, func(m Message, err error) { done <- outcome{m, err} })
	select {
	case o := <-done:
		if o.err != nil {
			return Message{}, o.err
		}
		// The message is stored, so a failure to look up its sender is ignored.
		o.m.Sender, _ = s.profile(ctx, c.UserID, c.UserID)
		return o.m, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Message{}, errNoAnswer
		}
		return Message{}, ctx.Err()
	}
}

// errNoAnswer is returned if the caller's context ends before the message is stored.
var errNoAnswer = &Error{
	Kind: KindUnavailable, What: notSent,
	Why:        "the server did not store it in time, but may still do so: try again in a moment with the same client_msg_id",
	RetryAfter: time.Second,
}

// SendFunc is Send without waiting, so that the messages of one connection share
// transactions and keep their order. It calls done once with the result of Send, either
// before it returns, or later from another goroutine. done must not block.
func (s *Service) SendFunc(ctx context.Context, c Caller, d Draft, done func(Message, error)) {
	counted := func(m Message, err error) {
		if err != nil {
			s.cfg.Hooks.messageRefused(ctx, err)
		}
		done(m, err)
	}
	p, err := s.prepare(ctx, c, d)
	if err == nil {
		p.done, p.trace = counted, s.carrier(ctx)
		err = s.sends.put(ctx, p)
	}
	if err != nil {
		counted(Message{}, err)
	}
}

// prepare checks a draft, and turns it into a message for the store.
func (s *Service) prepare(ctx context.Context, c Caller, d Draft) (*pendingSend, error) {
	accepted := s.cfg.Now()
	if wait := s.cfg.Messages.Take(ctx, c.UserID); wait > 0 {
		return nil, tooFast(notSent, "too many messages", wait)
	}
	if err := d.check(s.cfg.Limits.MaxContent); err != nil {
		return nil, err
	}
	p := &pendingSend{caller: c, target: d.Target, accepted: accepted, msg: NewMessage{
		SenderID: c.UserID, Content: d.Content, Type: d.Type,
		ReplyToID: d.ReplyToID, FileID: d.FileID, ClientMsgID: d.ClientMsgID,
	}}
	membership, asked, err := s.membershipToPost(ctx, c, d)
	if err != nil {
		if d.ClientMsgID == "" {
			return nil, err
		}
		// It may be the retry of a message that was allowed when it was first sent. The
		// store finds that one, or else refuses.
		p.refusal = err
		return p, nil
	}
	p.kind, p.msg.ConversationID, p.asked = membership.Conversation.Kind, membership.Conversation.ID, asked
	if p.kind == Direct {
		p.msg.ReceiverID = membership.peer(c.UserID)
	}
	return p, nil
}

// membershipToPost returns the conversation of a draft, after all checks. If it is the
// first message between two users, it creates their conversation, and a request if the
// receiver requires one.
func (s *Service) membershipToPost(ctx context.Context, c Caller, d Draft) (Membership, *Request, error) {
	membership, err := s.membershipOf(ctx, c.UserID, d.Target, notSent)
	begins := errors.Is(err, errNoDirect)
	if err != nil && !begins {
		return Membership{}, nil, err
	}
	if err := s.mayPost(ctx, c, membership, d); err != nil {
		return Membership{}, nil, err
	}
	switch {
	case begins:
		return s.openDirect(ctx, c.UserID, d.ReceiverID, notSent)
	case len(membership.Closed) > 0:
		return s.openDirect(ctx, c.UserID, membership.peer(c.UserID), notSent)
	}
	return membership, nil, nil
}

// mayPost checks that the caller may write in the conversation, reply to the message and
// attach the file.
func (s *Service) mayPost(ctx context.Context, c Caller, membership Membership, d Draft) error {
	if me, _ := membership.Find(c.UserID); me.Muted {
		return s.mutedError(ctx, c, membership, notSent)
	}
	if d.ReplyToID != 0 {
		m, err := s.cfg.Store.Message(ctx, d.ReplyToID)
		if err == nil && m.ConversationID != membership.Conversation.ID {
			err = ErrNotFound
		}
		if err != nil {
			return orNotFound(err, notSent, "reply_to_id is not the id of a message of this conversation")
		}
	}
	if d.FileID != 0 {
		if _, err := s.File(ctx, c, d.FileID); err != nil {
			return err
		}
	}
	return nil
}

// mutedError returns the error for a caller who is muted in a conversation.
func (s *Service) mutedError(ctx context.Context, c Caller, membership Membership, what string) error {
	if membership.Conversation.Kind == Group {
		return Errorf(KindForbidden, what, "you are muted in this chat")
	}
	peer := membership.peer(c.UserID)
	if u, err := s.user(ctx, peer); err == nil && u.Deleted {
		return Errorf(KindForbidden, what, "the account of user %d was deleted", peer)
	}
	blocks, err := s.blocks(ctx, c.UserID)
	if err != nil {
		return err
	}
	if err := blocks.refusal(peer, what); err != nil {
		return err
	}
	return s.requestError(ctx, peer, RequestMessage, what, ErrDeclined)
}

// A pendingSend is a message that waits for its transaction.
type pendingSend struct {
	msg      NewMessage
	target   Target
	caller   Caller
	kind     ConversationKind
	accepted time.Time
	trace    string
	asked    *Request // the request that was made for this message
	refusal  error    // the result unless the message turns out to be a retry
	done     func(Message, error)
}

// retries reports whether p is a retry of stored. It does not compare what an edit, a
// recall or a deletion may have changed.
func (p *pendingSend) retries(stored Message) bool {
	return p.target.names(stored) && p.msg.Type == stored.Type && p.msg.ReplyToID == stored.ReplyToID &&
		(stored.gone() || p.msg.FileID == stored.FileID) &&
		(stored.gone() || stored.Edited || p.msg.Content == stored.Content)
}

// errIDTaken is the error for a new message with a used ClientMsgID. Without it, the
// message would be lost as a retry.
var errIDTaken = &Error{
	Kind: KindConflict, What: notSent,
	Why: "client_msg_id was used for a message with another target or content: give each message an id of its own",
}

// finish passes a new message on to announce, and its result to the sender. A direct
// message that was alone in its transaction is announced here, if that is quick.
func (s *Service) finish(ctx context.Context, p *pendingSend, r Appended, alone bool) {
	switch {
	case errors.Is(r.Err, ErrNotFound) && p.refusal != nil:
		r.Err = p.refusal
	case errors.Is(r.Err, ErrNoFile): // deleted after mayPost
		r.Err = Errorf(KindNotFound, notSent, "the file was removed: upload it again")
	case errors.Is(r.Err, ErrNotFound):
		r.Err = Errorf(KindForbidden, notSent, "you are no longer allowed to write here")
	case r.Duplicate && !p.retries(r.Message):
		r.Message, r.Err = Message{}, errIDTaken
	case r.Duplicate:
		r.Err = s.withoutTraces(ctx, p.caller.UserID, &r.Message)
	case r.Err == nil:
		s.cfg.Hooks.messageStored(ctx, MessageStored{Kind: p.kind, Type: r.Message.Type})
		// fanout is closed after sends, so this put cannot be refused.
		put := s.fanout.put
		if alone && s.cfg.Local && p.kind == Direct {
			put = s.fanout.runOrPut
		}
		_ = put(ctx, func(ctx context.Context) (Event, error) {
			return s.eventOf(ctx, stored{message: r.Message, caller: p.caller, accepted: p.accepted, trace: p.trace})
		})
		if p.asked != nil {
			_ = s.fanout.put(ctx, func(ctx context.Context) (Event, error) { return s.requestEvent(ctx, *p.asked, &r.Message) })
		}
	}
	p.done(r.Message, r.Err)
}

// errNotTried is the error for messages that waited while a transaction failed because
// the database is away. Another transaction would make them wait as long again.
var errNotTried = &Error{
	Kind: KindUnavailable, What: "the database does not answer", Why: "nothing was stored; try again in a moment", RetryAfter: time.Second,
}

// commitAll stores a batch in one transaction, or in several concurrent ones if it is too
// large. The messages of a conversation stay in one part, to keep their order.
func (s *Service) commitAll(batch []*pendingSend) {
	most := s.cfg.Limits.MaxBatch
	var away atomic.Bool
	notTried := func(p *pendingSend) { p.done(Message{}, errNotTried) }
	store := func(part []*pendingSend) {
		for b := range slices.Chunk(part, most) {
			switch {
			case away.Load():
				for _, p := range b {
					notTried(p)
				}
			case KindOf(s.commit(b)) == KindUnavailable:
				away.Store(true)
			}
		}
	}
	if len(batch) <= most {
		store(batch)
	} else {
		parts := make([][]*pendingSend, (len(batch)+most-1)/most)
		for _, p := range batch {
			i := uint64(p.msg.ConversationID) % uint64(len(parts))
			parts[i] = append(parts[i], p)
		}
		var storing sync.WaitGroup
		for _, part := range parts {
			storing.Go(func() { store(part) })
		}
		storing.Wait()
	}
	if away.Load() {
		s.sends.drain(notTried)
	}
}

// commit stores a batch in one transaction, and finishes its messages in the order of
// Seq.
func (s *Service) commit(batch []*pendingSend) error {
	ctx, cancel := context.WithTimeout(s.background, s.cfg.Limits.CommitWithin)
	defer cancel()
	start := s.cfg.Now()
	msgs := make([]NewMessage, len(batch))
	var causes []string
	for i, p := range batch {
		msgs[i] = p.msg
		// One time for the batch, so that times increase with Seq. Clients need no finer
		// ones, and get them with every message.
		msgs[i].CreatedAt = start.Truncate(time.Millisecond)
		if p.trace != "" {
			causes = append(causes, p.trace)
		}
	}
	ctx, end := s.span(ctx, "store messages", causes)
	results, err := s.cfg.Store.Append(ctx, msgs)
	end(err)
	s.cfg.Hooks.batchCommitted(ctx, BatchCommitted{Messages: len(batch), Duration: s.cfg.Now().Sub(start), Err: err})
	for i, p := range batch {
		if err != nil {
			p.done(Message{}, err)
			continue
		}
		s.finish(context.WithoutCancel(ctx), p, results[i], len(batch) == 1)
	}
	return err
}

// stored is a new message that is not announced yet.
type stored struct {
	message  Message
	caller   Caller
	accepted time.Time
	trace    string
}

// An outgoing returns an event to publish. It is called when the event is due.
type outgoing func(context.Context) (Event, error)

// announce publishes changes of messages in order, so that an edit or a recall never
// comes before its message. It runs concurrently with commit, so that a large fan-out
// does not delay the next transaction; only a message that finish announces itself does.
func (s *Service) announce(batch []outgoing) {
	ctx := context.Background()
	for _, event := range batch {
		e, err := event(ctx)
		if err != nil {
			s.cfg.Hooks.publishFailed(ctx, err)
			s.cfg.Log.ErrorContext(ctx, "event not published; clients get the change by sync", "err", err)
			continue
		}
		s.publish(ctx, e)
	}
}

// eventOf returns the event of a new message.
func (s *Service) eventOf(ctx context.Context, n stored) (Event, error) {
	membership, err := s.membership(ctx, n.message.ConversationID)
	if err != nil {
		return Event{}, err
	}
	conversation := membership.Conversation
	sender, err := s.user(ctx, n.message.SenderID)
	if err != nil {
		sender = User{ID: n.message.SenderID}
	}
	if err := s.withoutTraces(ctx, n.message.SenderID, &n.message); err != nil { // for a message that was loaded
		return Event{}, err
	}
	return Event{
		Type: EventMessageNew, To: membership.UserIDs(), Except: n.caller.Conn, At: n.accepted,
		Payload: MessageNew{
			Message: InFrame(n.message),
			Chat:    FrameChat{ID: conversation.ID, Kind: conversation.Kind, Title: conversation.Title},
			Sender:  senderOf(sender),
		},
		ConversationID: n.message.ConversationID, Seq: n.message.Seq, MessageID: n.message.ID,
		From: n.message.SenderID, Receipt: wantsReceipts(membership), Trace: n.trace,
	}, nil
}
