package rest

import (
	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// codeWanted is the answer of a login that needs a two-factor code.
type codeWanted struct {
	TwoFactor  bool   `json:"two_factor"`
	LoginToken string `json:"login_token"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

// loggedIn answers a login with tokens, or asks for a two-factor code.
func (s *Server) loggedIn(c echo.Context, t chat.Tokens, err error) error {
	if err == nil && t.LoginToken != "" {
		return s.ok(c, codeWanted{TwoFactor: true, LoginToken: t.LoginToken, ExpiresIn: int64(t.ExpiresIn.Seconds())}, nil)
	}
	return s.ok(c, tokensOf(t), err)
}

func (s *Server) loginSecond(c echo.Context) error {
	var body chat.SecondFactor
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr, body.Device = s.countedAddr(c), c.Request().UserAgent()
	t, err := s.svc.LoginSecond(c.Request().Context(), body)
	return s.loggedIn(c, t, err)
}

func (s *Server) twoFactorStatus(c echo.Context, me chat.Caller) error {
	st, err := s.svc.TwoFactorStatus(c.Request().Context(), me)
	return s.ok(c, st, err)
}

func (s *Server) enableTwoFactor(c echo.Context, me chat.Caller) error {
	var body chat.TwoFactorSetUp
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr = s.countedAddr(c)
	secret, err := s.svc.EnableTwoFactor(c.Request().Context(), me, body)
	return s.ok(c, secret, err)
}

// onlyCode is the body of calls that need only a code.
type onlyCode struct {
	Code string `json:"code"`
}

func (b *onlyCode) decode(c echo.Context) error {
	if err := decode(c, b); err != nil {
		return err
	}
	if b.Code == "" {
		return invalid("code is required")
	}
	return nil
}

// shownOnce has the backup codes, which are shown only once.
type shownOnce struct {
	BackupCodes []string `json:"backup_codes"`
}

func (s *Server) verifyTwoFactor(c echo.Context, me chat.Caller) error {
	var body onlyCode
	if err := body.decode(c); err != nil {
		return err
	}
	codes, err := s.svc.VerifyTwoFactor(c.Request().Context(), me, body.Code)
	return s.ok(c, shownOnce{codes}, err)
}

func (s *Server) regenerateBackupCodes(c echo.Context, me chat.Caller) error {
	var body onlyCode
	if err := body.decode(c); err != nil {
		return err
	}
	codes, err := s.svc.RegenerateBackupCodes(c.Request().Context(), me, body.Code)
	return s.ok(c, shownOnce{codes}, err)
}

func (s *Server) disableTwoFactor(c echo.Context, me chat.Caller) error {
	var body chat.TwoFactorProof
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Code == "" {
		return invalid("code is required")
	}
	body.Addr = s.countedAddr(c)
	return s.ok(c, nothing{}, s.svc.DisableTwoFactor(c.Request().Context(), me, body))
}

func (s *Server) trustedDevices(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.TrustedDevice], error) {
		return s.svc.TrustedDevices(c.Request().Context(), me, p)
	})
}

func (s *Server) distrustDevice(c echo.Context, me chat.Caller) error {
	return s.ok(c, nothing{}, s.svc.DistrustDevice(c.Request().Context(), me, c.Param("id")))
}
