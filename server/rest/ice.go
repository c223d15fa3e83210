package rest

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// ICE has the servers with which a client finds a path to its peer.
type ICE struct {
	Servers []ICEServer
	TTL     time.Duration // for which the credentials are valid
}

// An ICEServer is an RTCIceServer of browsers. A STUN server has no credential.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// iceServers answers with the servers in the form that new RTCPeerConnection takes.
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
