// Package alive checks whether a server on this machine is alive. imserver and
// imadmin use it for --healthcheck, because their images have no curl.
package alive

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

const patience = 5 * time.Second

// Check requests path from the server that listens at addr, host:port, over HTTP. It
// returns an error if the answer is not 200, or does not come within five seconds.
func Check(ctx context.Context, addr, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	url := "http://" + Reachable(addr) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, res.Status)
	}
	return nil
}

// Reachable returns the address at which a client on this machine reaches a server
// that listens at addr: the host is localhost if it is empty, 0.0.0.0 or ::.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
