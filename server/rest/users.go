package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

func (s *Server) profile(c echo.Context, me chat.Caller) error {
	user, err := s.svc.Me(c.Request().Context(), me)
	return s.ok(c, user, err)
}

func (s *Server) changeProfile(c echo.Context, me chat.Caller) error {
	var body chat.Profile
	if err := decode(c, &body); err != nil {
		return err
	}
	user, err := s.svc.UpdateMe(c.Request().Context(), me, body)
	return s.ok(c, user, err)
}

func (s *Server) searchUsers(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.User], error) {
		return s.svc.SearchUsers(c.Request().Context(), me, c.QueryParam("q"), p)
	})
}

func (s *Server) friends(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.User], error) {
		return s.svc.Friends(c.Request().Context(), me, p)
	})
}

// onlyUser is the body of calls about one other user.
type onlyUser struct {
	UserID int64 `json:"user_id"`
}

func (b *onlyUser) decode(c echo.Context) error {
	if err := decode(c, b); err != nil {
		return err
	}
	return bodyID("user_id", b.UserID)
}

// addFriend answers with the list of friends, including the new one.
func (s *Server) addFriend(c echo.Context, me chat.Caller) error {
	var body onlyUser
	if err := body.decode(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if _, err := s.svc.AddFriend(ctx, me, body.UserID); err != nil {
		return err
	}
	friends, err := s.svc.Friends(ctx, me, chat.Paging{})
	return s.created(c, list(friends.Items), err)
}

func (s *Server) removeFriend(c echo.Context, me chat.Caller) error {
	return s.toUser(c, me, s.svc.Unfriend)
}

func (s *Server) blocked(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.User], error) {
		return s.svc.Blocked(c.Request().Context(), me, p)
	})
}

func (s *Server) block(c echo.Context, me chat.Caller) error {
	var body onlyUser
	if err := body.decode(c); err != nil {
		return err
	}
	user, err := s.svc.Block(c.Request().Context(), me, body.UserID)
	return s.created(c, user, err)
}

func (s *Server) unblock(c echo.Context, me chat.Caller) error {
	return s.toUser(c, me, s.svc.Unblock)
}

// toUser calls call with the user's id in the path.
func (s *Server) toUser(c echo.Context, me chat.Caller, call func(context.Context, chat.Caller, int64) error) error {
	id, err := pathID(c, "user_id")
	if err != nil {
		return err
	}
	return s.ok(c, onlyUser{id}, call(c.Request().Context(), me, id))
}
