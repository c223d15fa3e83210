package chat

import (
	"context"
	"errors"
	"time"
)

const (
	maxRequests     = 1000 // pending requests to one user
	requestsLimit   = 50
	maxRequestsPage = 200
)

// A RequestKind is what a stranger requests.
type RequestKind string

// The kinds of request.
const (
	RequestMessage RequestKind = "message" // to write
	RequestGroup   RequestKind = "group"   // to have the user in a group
	RequestCall    RequestKind = "call"    // to call, after a refused call
)

// A Request of a stranger to a user who accepts such things only from contacts. It is
// pending until the user accepts or declines it.
type Request struct {
	ID        int64       `json:"id"`
	UserID    int64       `json:"-"` // receiver of the request
	FromID    int64       `json:"from_id"`
	Kind      RequestKind `json:"kind"`
	ChatID    int64       `json:"chat_id,omitempty"` // the group; for a message the conversation, which clients do not see
	CreatedAt time.Time   `json:"created_at"`

	From    *FrameSender `json:"from,omitempty"`
	Chat    *FrameChat   `json:"chat,omitempty"`    // the group
	Message *Message     `json:"message,omitempty"` // the last message of the conversation
}

// An Opening prepares the direct conversation of two users for a message of From: see
// ConversationStore.EnsureDirect.
type Opening struct {
	From, To int64
	Ask      bool // To accepts messages only from contacts
	Limit    int  // most pending requests to To; 0: no limit
	At       time.Time
}

// Opened is the result of an Opening.
type Opened struct {
	ConversationID int64
	Asked          *Request // a new request to To; nil: none
	Accepted       *Request // a request of To that From accepts by writing; nil: none
}

// RequestMade is the payload of EventRequest.
type RequestMade struct {
	Request Request `json:"request"`
}

// A RequestOutcome is the state of a request.
type RequestOutcome string

// The outcomes.
const (
	RequestWasMade     RequestOutcome = "made"
	RequestWasAccepted RequestOutcome = "accepted"
	RequestWasDeclined RequestOutcome = "declined"
	RequestWasRefused  RequestOutcome = "refused" // too many, too fast, or declined before
)

// RequestUpdated tells a user's devices that the user has answered a request.
type RequestUpdated struct {
	ID     int64          `json:"id"`
	FromID int64          `json:"from_id"`
	Kind   RequestKind    `json:"kind"`
	ChatID int64          `json:"chat_id,omitempty"`
	Change RequestOutcome `json:"change"` // accepted or declined
}

// shown returns r without the id of a direct conversation: clients identify it by the
// other user.
func (r Request) shown() Request {
	if r.Kind == RequestMessage {
		r.ChatID = 0
	}
	return r
}

// mayRequest returns an error if a user has made too many requests. It does not count this one,
// because it is not known yet whether one is needed: see countRequest.
func (s *Service) mayRequest(ctx context.Context, userID int64, what string) error {
	if s.cfg.NewRequests == nil {
		return nil
	}
	if wait := s.cfg.NewRequests.Peek(ctx, userID); wait > 0 {
		s.cfg.Hooks.request(ctx, RequestChanged{Outcome: RequestWasRefused})
		return tooFast(what, "you have sent too many requests to people who do not know you", wait)
	}
	return nil
}

// countRequest counts a new request.
func (s *Service) countRequest(ctx context.Context, r Request) {
	if s.cfg.NewRequests != nil {
		s.cfg.NewRequests.Take(ctx, r.FromID)
	}
	s.cfg.Hooks.request(ctx, RequestChanged{Kind: r.Kind, Outcome: RequestWasMade})
}

// requestError turns a store's refusal of a request into an Error.
func (s *Service) requestError(ctx context.Context, userID int64, kind RequestKind, what string, err error) error {
	switch {
	case errors.Is(err, ErrDeclined):
		err = Errorf(KindForbidden, what, "user %d has declined your request", userID)
	case errors.Is(err, ErrConflict):
		const retry = time.Hour
		e := Errorf(KindRateLimited, what, "user %d has too many pending requests: try again after they have answered some", userID)
		e.RetryAfter = retry
		err = e
	default:
		return err
	}
	s.cfg.Hooks.request(ctx, RequestChanged{Kind: kind, Outcome: RequestWasRefused})
	return err
}

// ask makes a request, and notifies its receiver. If the same request is already pending,
// it does nothing.
func (s *Service) ask(ctx context.Context, r Request, what string) error {
	if err := s.mayRequest(ctx, r.FromID, what); err != nil {
		return err
	}
	r.CreatedAt = s.cfg.Now()
	r, made, err := s.cfg.Store.Ask(ctx, r, maxRequests)
	err = s.orBlocked(ctx, r.FromID, r.UserID, what, orNotFound(err, what, "the user or the chat does not exist"))
	if err := s.requestError(ctx, r.UserID, r.Kind, what, err); err != nil || !made {
		return err
	}
	s.countRequest(ctx, r)
	e, err := s.requestEvent(ctx, r, nil)
	if err == nil {
		s.publish(ctx, e)
	}
	return err
}

// requestEvent returns the event for the receiver of a request. m is the message of a
// request to write.
func (s *Service) requestEvent(ctx context.Context, r Request, m *Message) (Event, error) {
	r, err := s.fillIn(ctx, r)
	r.Message = m
	return Event{Type: EventRequest, To: []int64{r.UserID}, At: s.cfg.Now(), Payload: RequestMade{Request: r.shown()}}, err
}

// fillIn sets From, and Chat for a group.
func (s *Service) fillIn(ctx context.Context, r Request) (Request, error) {
	from, err := s.user(ctx, r.FromID)
	if err != nil {
		return r, err
	}
	sender := senderOf(from)
	r.From = &sender
	if r.Kind == RequestGroup {
		membership, err := s.membership(ctx, r.ChatID)
		if err != nil {
			return r, err
		}
		group := membership.Conversation
		r.Chat = &FrameChat{ID: group.ID, Kind: group.Kind, Title: group.Title}
	}
	return r, nil
}

// Requests lists the caller's pending requests, the newest first.
func (s *Service) Requests(ctx context.Context, c Caller, p Paging) (Part[Request], error) {
	p, err := p.within(requestsLimit, maxRequestsPage, "requests not listed")
	if err != nil {
		return Part[Request]{}, err
	}
	all, err := s.cfg.Store.Requests(ctx, c.UserID, p.Limit+1, p.Offset)
	if err != nil {
		return Part[Request]{}, err
	}
	part := partOf(all, p)
	for i, r := range part.Items {
		if r, err = s.fillIn(ctx, r); err != nil {
			return Part[Request]{}, err
		}
		part.Items[i] = r.shown()
	}
	return part, nil
}

const noRequest = "there is no such request, or it was already answered"

// Accept accepts a request. A user who wrote or called becomes a friend, and the
// conversation appears with all its messages. For a request into a group, the caller
// joins it. If two devices answer at once, only one succeeds.
func (s *Service) Accept(ctx context.Context, c Caller, id int64) (Request, error) {
	const what = "request not accepted"
	if err := s.pace(ctx, c, what); err != nil {
		return Request{}, err
	}
	r, err := s.cfg.Store.Request(ctx, c.UserID, id)
	if err != nil {
		return Request{}, orNotFound(err, what, noRequest)
	}
	if r.Kind == RequestGroup {
		err = s.join(ctx, c, r, what)
	} else {
		err = s.cfg.Store.AcceptRequest(ctx, r, s.cfg.Now())
		err = s.related(ctx, c.UserID, r.FromID, err)
	}
	if err != nil {
		return Request{}, orNotFound(err, what, noRequest)
	}
	s.tellAnswered(ctx, c, r, RequestWasAccepted)
	r, err = s.fillIn(ctx, r)
	return r.shown(), err
}

// Decline declines a request. Further ones of the same user and kind are refused.
func (s *Service) Decline(ctx context.Context, c Caller, id int64) (Request, error) {
	const what = "request not declined"
	if err := s.pace(ctx, c, what); err != nil {
		return Request{}, err
	}
	r, err := s.cfg.Store.Request(ctx, c.UserID, id)
	if err == nil {
		err = s.cfg.Store.DeclineRequest(ctx, r)
		err = s.related(ctx, c.UserID, r.FromID, err)
	}
	if err != nil {
		return Request{}, orNotFound(err, what, noRequest)
	}
	s.tellAnswered(ctx, c, r, RequestWasDeclined)
	return r.shown(), nil
}

// tellAnswered notifies the caller's other devices that the caller has answered a request.
func (s *Service) tellAnswered(ctx context.Context, c Caller, r Request, outcome RequestOutcome) {
	s.cfg.Hooks.request(ctx, RequestChanged{Kind: r.Kind, Outcome: outcome})
	r = r.shown()
	s.publish(ctx, Event{
		Type: EventRequestUpdate, To: []int64{c.UserID}, Except: c.Conn, At: s.cfg.Now(),
		Payload: RequestUpdated{ID: r.ID, FromID: r.FromID, Kind: r.Kind, ChatID: r.ChatID, Change: outcome},
	})
}

// join adds the caller to the group of a request.
func (s *Service) join(ctx context.Context, c Caller, r Request, what string) error {
	_, err := s.cfg.Store.ChangeMember(ctx, MemberChange{
		ConversationID: r.ChatID, ActorID: r.FromID, UserID: c.UserID, Limit: s.cfg.Limits.MaxMembers, Request: r.ID,
		Decide: func(from Member, me *Member) error {
			switch {
			case !from.in():
				return Errorf(KindNotFound, what, "the chat was deleted, or the user who invited you has left it: decline the request")
			case me.Banned:
				return Errorf(KindForbidden, what, "you are banned from this chat")
			case !me.in():
				me.Role, me.JoinedAt = RoleMember, s.cfg.Now()
			}
			return nil
		},
	})
	if errors.Is(err, ErrConflict) {
		err = Errorf(KindConflict, what, "the chat has the maximum of %d members", s.cfg.Limits.MaxMembers)
	}
	if err := dropped(ctx, s, s.cfg.Memberships, r.ChatID, err); err != nil {
		return err
	}
	s.tellMember(ctx, c, r.ChatID, GroupUpdated{Change: GroupAdded, By: r.FromID, UserID: c.UserID}, false)
	return nil
}

// openDirect prepares the conversation of two users for a first message: see
// ConversationStore.EnsureDirect. It returns the request that it made, if any.
func (s *Service) openDirect(ctx context.Context, from, to int64, what string) (Membership, *Request, error) {
	o := Opening{From: from, To: to, Limit: maxRequests, At: s.cfg.Now()}
	if from != to {
		ask, err := s.needsRequest(ctx, from, to, func(p Privacy) Audience { return p.Messages })
		if err != nil {
			return Membership{}, nil, err
		}
		if o.Ask = ask; ask {
			if err := s.mayRequest(ctx, from, what); err != nil {
				return Membership{}, nil, err
			}
		}
	}
	opened, err := s.cfg.Store.EnsureDirect(ctx, o)
	err = s.orBlocked(ctx, from, to, what, orNotFound(err, what, "there is no such user"))
	if err := s.requestError(ctx, to, RequestMessage, what, err); err != nil {
		return Membership{}, nil, err
	}
	if err := dropped(ctx, s, s.cfg.Memberships, opened.ConversationID, nil); err != nil {
		return Membership{}, nil, err
	}
	if r := opened.Asked; r != nil {
		s.countRequest(ctx, *r)
	}
	if r := opened.Accepted; r != nil {
		s.tellAnswered(ctx, Caller{UserID: from}, *r, RequestWasAccepted)
	}
	membership, err := s.membershipByID(ctx, from, opened.ConversationID, what)
	return membership, opened.Asked, err
}

// needsRequest reports whether from needs a request for what audience selects, because to accepts
// it only from contacts.
func (s *Service) needsRequest(ctx context.Context, from, to int64, audience func(Privacy) Audience) (bool, error) {
	privacy, err := s.privacy(ctx, to)
	if err != nil || audience(privacy[to]) != Contacts {
		return false, err
	}
	added, err := s.cfg.Store.AddedBy(ctx, from, []int64{to})
	return !added[to], err
}
