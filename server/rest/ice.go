package rest

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// ICE is what a client finds its peer by.
type ICE struct {
	Servers []ICEServer
	TTL     time.Duration // for which the credentials are good
}

// An ICEServer is an RTCIceServer of browsers. One of STUN has no credential.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// iceServers answers what new RTCPeerConnection takes.
func (s *Server) iceServers(c echo.Context, me chat.Caller) error {
	var ice ICE
	if s.cfg.ICE != nil {
		ice = s.cfg.ICE(me.UserID)
	}
	return s.ok(c, struct {
		Servers []ICEServer `json:"ice_servers"`
		TTL     int64       `json:"ttl"` // seconds
	}{list(ice.Servers), int64(ice.TTL.Seconds())}, nil)
}
