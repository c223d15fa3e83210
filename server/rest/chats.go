package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

func (s *Server) createChat(c echo.Context, me chat.Caller) error {
	var body struct {
		Title     string  `json:"title"`
		MemberIDs []int64 `json:"member_ids"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	g, err := s.svc.CreateGroup(c.Request().Context(), me, body.Title, body.MemberIDs)
	return s.created(c, g, err)
}

func (s *Server) chats(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.Conversation], error) {
		return s.svc.Groups(c.Request().Context(), me, p)
	})
}

func (s *Server) renameChat(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	var body struct {
		Title string `json:"title"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	g, err := s.svc.Rename(c.Request().Context(), me, id, body.Title)
	return s.ok(c, g, err)
}

// formerChat is the answer for a group that was deleted.
type formerChat struct {
	ChatID int64 `json:"chat_id"`
}

func (s *Server) deleteChat(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	return s.ok(c, formerChat{id}, s.svc.DeleteGroup(c.Request().Context(), me, id))
}

func (s *Server) members(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.Member], error) {
		return s.svc.Members(c.Request().Context(), me, id, p)
	})
}

func (s *Server) addMember(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	var body onlyUser
	if err := body.decode(c); err != nil {
		return err
	}
	m, err := s.svc.AddMember(c.Request().Context(), me, id, body.UserID)
	return s.created(c, m, err)
}

// A memberCall changes the member userID of the group chatID.
type memberCall func(ctx context.Context, me chat.Caller, chatID, userID int64) (chat.Member, error)

// withMember calls call with the ids in the path, and answers with the changed member.
func (s *Server) withMember(c echo.Context, me chat.Caller, call memberCall) error {
	chatID, err := pathID(c, "id")
	if err != nil {
		return err
	}
	userID, err := pathID(c, "user_id")
	if err != nil {
		return err
	}
	m, err := call(c.Request().Context(), me, chatID, userID)
	return s.ok(c, m, err)
}

// setting makes a memberCall of a call that turns something on or off.
func setting(call func(context.Context, chat.Caller, int64, int64, bool) (chat.Member, error), on bool) memberCall {
	return func(ctx context.Context, me chat.Caller, chatID, userID int64) (chat.Member, error) {
		return call(ctx, me, chatID, userID, on)
	}
}

func (s *Server) promote(c echo.Context, me chat.Caller) error {
	return s.withMember(c, me, setting(s.svc.SetAdmin, true))
}

func (s *Server) demote(c echo.Context, me chat.Caller) error {
	return s.withMember(c, me, setting(s.svc.SetAdmin, false))
}

func (s *Server) mute(c echo.Context, me chat.Caller) error {
	return s.withMember(c, me, setting(s.svc.SetMuted, true))
}

func (s *Server) unmute(c echo.Context, me chat.Caller) error {
	return s.withMember(c, me, setting(s.svc.SetMuted, false))
}

func (s *Server) ban(c echo.Context, me chat.Caller) error {
	return s.withMember(c, me, s.svc.Ban)
}

func (s *Server) unban(c echo.Context, me chat.Caller) error {
	return s.withoutMember(c, me, s.svc.Unban)
}

func (s *Server) removeMember(c echo.Context, me chat.Caller) error {
	return s.withoutMember(c, me, s.svc.RemoveMember)
}

// formerMember is the answer of withoutMember.
type formerMember struct {
	ChatID int64 `json:"chat_id"`
	UserID int64 `json:"user_id"`
}

// withoutMember is withMember for calls after which the user is not a member.
func (s *Server) withoutMember(c echo.Context, me chat.Caller,
	call func(context.Context, chat.Caller, int64, int64) error,
) error {
	chatID, err := pathID(c, "id")
	if err != nil {
		return err
	}
	userID, err := pathID(c, "user_id")
	if err != nil {
		return err
	}
	return s.ok(c, formerMember{chatID, userID}, call(c.Request().Context(), me, chatID, userID))
}
