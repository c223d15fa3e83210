package rest

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Templates that are used in several places.
const (
	uploadPath = "/api/files/upload"
	debugPath  = "/debug/telemetry"

	consolePath = "/admin/"
)

// passwordTimeout is for requests that check a password. Concurrent ones wait for each other, because each check needs
// much memory and time by design.
const passwordTimeout = 10 * time.Second

// routes is the route table. In its parts, me is for calls that need an access token.
func (s *Server) routes() {
	s.pageRoutes()
	s.loginRoutes()
	s.userRoutes()
	s.messageRoutes()
	s.callAndFileRoutes()
	s.staffRoutes()
}

// setUp is prompt, and also admits users who must set up two-factor login before they may do anything else.
func (s *Server) setUp(h userHandler) echo.HandlerFunc {
	return s.promptWithin(s.cfg.RequestTimeout, s.svc.AuthenticateRestricted, h)
}

// setUpChecksPassword is setUp for a handler that checks a password.
func (s *Server) setUpChecksPassword(h userHandler) echo.HandlerFunc {
	return s.promptWithin(passwordTimeout, s.svc.AuthenticateRestricted, h)
}

// checksPassword is prompt for a handler that checks a password.
func (s *Server) checksPassword(h userHandler) echo.HandlerFunc {
	return s.promptWithin(passwordTimeout, s.svc.Authenticate, h)
}

func (s *Server) pageRoutes() {
	s.get("/health", s.health)
	s.get("/healthz", s.alive)
	s.get("/readyz", s.ready)
	s.getIf(s.cfg.Metrics != nil, "/metrics", echo.WrapHandler(s.cfg.Metrics))
	debug := echo.WrapHandler(s.cfg.Debug)
	if !s.cfg.DebugAsks {
		debug = s.local(debug)
	}
	s.getIf(s.cfg.Debug != nil, debugPath, debug)
	web := echo.WrapHandler(s.cfg.Web)
	s.getIf(s.cfg.Web != nil, "/", web)
	s.getIf(s.cfg.Web != nil, "/app/*", web)
	console := echo.WrapHandler(s.cfg.Console)
	s.getIf(s.cfg.Console != nil, "/admin", func(c echo.Context) error { return c.Redirect(http.StatusFound, consolePath) })
	s.getIf(s.cfg.Console != nil, consolePath+"*", console)
	if s.cfg.WebSocket != nil {
		s.add(http.MethodGet, "/ws", s.cfg.MaxBody, within(s.cfg.RequestTimeout, s.webSocket))
	}
}

func (s *Server) loginRoutes() {
	s.post("/api/auth/register", within(passwordTimeout, s.register))
	s.post("/api/auth/login", within(passwordTimeout, s.login))
	s.post("/api/auth/refresh", within(s.cfg.RequestTimeout, s.refresh))
	s.get("/api/auth/validate", within(s.cfg.RequestTimeout, s.validate)) // has no envelope
	s.post("/api/auth/login/2fa", within(s.cfg.RequestTimeout, s.loginSecond))
	s.post("/api/auth/logout", s.setUp(s.logout))

	s.get("/api/2fa/status", s.setUp(s.twoFactorStatus))
	s.post("/api/2fa/enable", s.setUpChecksPassword(s.enableTwoFactor))
	s.post("/api/2fa/verify", s.setUp(s.verifyTwoFactor))
	s.post("/api/2fa/disable", s.setUpChecksPassword(s.disableTwoFactor))
	s.post("/api/2fa/regenerate-backup-codes", s.setUp(s.regenerateBackupCodes))
	s.get("/api/2fa/devices", s.setUp(s.trustedDevices))
	s.delete("/api/2fa/devices/:id", s.setUp(s.distrustDevice))
}

func (s *Server) userRoutes() {
	me := s.prompt
	s.get("/api/users/me", s.setUp(s.profile))
	s.put("/api/users/me", me(s.changeProfile))
	s.delete("/api/users/me", s.checksPassword(s.deleteMe))
	s.add(http.MethodGet, "/api/users/me/export", s.cfg.MaxBody, s.authenticated(s.export))
	s.put("/api/users/me/password", s.checksPassword(s.changePassword))
	s.get("/api/users/me/sessions", me(s.sessions))
	s.delete("/api/users/me/sessions", me(s.endOtherSessions))
	s.delete("/api/users/me/sessions/:id", me(s.endSession))
	s.get("/api/users/me/privacy", me(s.privacy))
	s.put("/api/users/me/privacy", me(s.changePrivacy))
	s.get("/api/users/search", me(s.searchUsers))
	s.get("/api/users/friends", me(s.friends))
	s.post("/api/users/friends", me(s.addFriend))
	s.delete("/api/users/friends/:user_id", me(s.removeFriend))
	s.get("/api/users/blocked", me(s.blocked))
	s.post("/api/users/blocked", me(s.block))
	s.delete("/api/users/blocked/:user_id", me(s.unblock))

	s.get("/api/requests", me(s.requests))
	s.post("/api/requests/:id/accept", me(s.accept))
	s.post("/api/requests/:id/decline", me(s.decline))
}

func (s *Server) messageRoutes() {
	me := s.prompt
	s.post("/api/messages", me(s.send))
	s.post("/api/messages/send", me(s.send))
	s.get("/api/messages", me(s.messages))
	s.get("/api/messages/unread/count", me(s.unread))
	s.get("/api/messages/search", me(s.searchMessages))
	s.get("/api/messages/dialogs", me(s.dialogs))
	s.delete("/api/messages/dialogs", me(s.deleteDialog))
	s.post("/api/messages/typing", me(s.typing))
	s.get("/api/messages/:id", me(s.message))
	s.put("/api/messages/:id", me(s.edit))
	s.delete("/api/messages/:id", me(s.deleteMessage))
	s.post("/api/messages/:id/read", me(s.read))
	s.get("/api/messages/:id/receipts", me(s.receipts))
	s.post("/api/messages/:id/recall", me(s.recall))

	s.post("/api/chats", me(s.createChat))
	s.get("/api/chats", me(s.chats))
	s.put("/api/chats/:id", me(s.renameChat))
	s.delete("/api/chats/:id", me(s.deleteChat))
	s.get("/api/chats/:id/members", me(s.members))
	s.post("/api/chats/:id/members", me(s.addMember))
	s.delete("/api/chats/:id/members/:user_id", me(s.removeMember))
	s.post("/api/chats/:id/members/:user_id/promote", me(s.promote))
	s.post("/api/chats/:id/members/:user_id/demote", me(s.demote))
	s.post("/api/chats/:id/members/:user_id/mute", me(s.mute))
	s.post("/api/chats/:id/members/:user_id/unmute", me(s.unmute))
	s.post("/api/chats/:id/members/:user_id/ban", me(s.ban))
	s.post("/api/chats/:id/members/:user_id/unban", me(s.unban))
}

func (s *Server) callAndFileRoutes() {
	me := s.prompt
	if s.cfg.Calls != nil {
		s.post("/api/calls", me(s.startCall))
		s.post("/api/calls/:id/end", me(s.endCall))
		s.get("/api/calls/:id/stats", me(s.callStats))
	}
	s.get("/api/calls/ice-servers", me(s.iceServers))

	s.add(http.MethodPost, uploadPath, s.svc.UploadLimit()+multipartRoom, s.authenticated(s.upload))
	s.get("/api/files", me(s.files))
	s.get("/api/files/:id", me(s.file))
	s.delete("/api/files/:id", me(s.deleteFile))
	s.get("/api/files/:id/download", s.authenticated(s.download))
}

// add adds a route whose body has at most limit bytes. It sets the template before anything else, so that it is set
// whatever the answer is.
func (s *Server) add(method, path string, limit int64, h echo.HandlerFunc) {
	h = limited(limit, h)
	s.echo.Add(method, path, func(c echo.Context) error {
		c.Request().Pattern = c.Path()
		return h(c)
	})
}

func (s *Server) get(path string, h echo.HandlerFunc) {
	s.add(http.MethodGet, path, s.cfg.MaxBody, h)
	s.add(http.MethodHead, path, s.cfg.MaxBody, h) // net/http omits the body
}

func (s *Server) getIf(there bool, path string, h echo.HandlerFunc) {
	if there {
		s.get(path, h)
	}
}

func (s *Server) post(path string, h echo.HandlerFunc) {
	s.add(http.MethodPost, path, s.cfg.MaxBody, h)
}

func (s *Server) put(path string, h echo.HandlerFunc) {
	s.add(http.MethodPut, path, s.cfg.MaxBody, h)
}

func (s *Server) delete(path string, h echo.HandlerFunc) {
	s.add(http.MethodDelete, path, s.cfg.MaxBody, h)
}
