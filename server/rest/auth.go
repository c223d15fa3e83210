package rest

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// tokens is the answer of a login. It has the access token twice, because clients use either name.
type tokens struct {
	Token     string    `json:"token"`
	Access    string    `json:"access_token"`
	Refresh   string    `json:"refresh_token"`
	ExpiresIn int64     `json:"expires_in"` // seconds
	User      chat.User `json:"user"`
	// Device replaces the two-factor code in later logins. It is set if the client asked to trust the device.
	Device string `json:"device_token,omitempty"`
}

func tokensOf(t chat.Tokens) tokens {
	return tokens{
		Token: t.Access, Access: t.Access, Refresh: t.Refresh,
		ExpiresIn: int64(t.ExpiresIn.Seconds()), User: t.User, Device: t.DeviceToken,
	}
}

func (s *Server) register(c echo.Context) error {
	var body chat.Registration
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr, body.Device = s.countedAddr(c), c.Request().UserAgent()
	body.Forwarded = !s.direct(c.Request())
	t, err := s.svc.Register(c.Request().Context(), body)
	return s.created(c, tokensOf(t), err)
}

func (s *Server) login(c echo.Context) error {
	var body chat.Credentials
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr, body.Device = s.countedAddr(c), c.Request().UserAgent()
	t, err := s.svc.Login(c.Request().Context(), body)
	return s.loggedIn(c, t, err)
}

// refresh takes the refresh token from the body, or else from the Authorization header.
func (s *Server) refresh(c echo.Context) error {
	var body struct {
		Token string `json:"refresh_token"`
	}
	if err := decodeIfAny(c, &body); err != nil {
		return err
	}
	if body.Token == "" {
		body.Token = bearer(c.Request())
	}
	if body.Token == "" {
		return chat.Errorf(chat.KindUnauthenticated, "not refreshed", "refresh_token is required, in the body or as the bearer token")
	}
	t, err := s.svc.Refresh(c.Request().Context(), body.Token)
	return s.ok(c, tokensOf(t), err)
}

// validity is the answer of validate, which has no envelope.
type validity struct {
	Valid   bool       `json:"valid"`
	User    *chat.User `json:"user,omitempty"`
	Error   string     `json:"error,omitempty"`
	Details string     `json:"details,omitempty"`
}

func (s *Server) validate(c echo.Context) error {
	user, err := s.whoIs(c)
	if err != nil {
		f := s.refuse(err, c)
		s.write(c, f.status, validity{Error: f.what, Details: f.why})
		return nil
	}
	s.write(c, http.StatusOK, validity{Valid: true, User: &user})
	return nil
}

// whoIs returns the user whose access token the request has.
func (s *Server) whoIs(c echo.Context) (chat.User, error) {
	ctx := c.Request().Context()
	me, err := s.svc.AuthenticateRestricted(ctx, bearer(c.Request()))
	if err != nil {
		return chat.User{}, err
	}
	if err := s.svc.MayRead(ctx, me.UserID); err != nil {
		return chat.User{}, err
	}
	user, err := s.svc.Me(ctx, me)
	if chat.KindOf(err) == chat.KindNotFound {
		err = chat.Errorf(chat.KindUnauthenticated, "not authenticated", "the account was deleted")
	}
	return user, err
}

func (s *Server) logout(c echo.Context, me chat.Caller) error {
	return s.ok(c, nothing{}, s.svc.Logout(c.Request().Context(), me))
}
