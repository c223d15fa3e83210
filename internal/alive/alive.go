// Package alive is how our programs ask an instance of themselves on this machine
// whether it is alive: the healthcheck of a container without curl.
package alive

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

const patience = 5 * time.Second

// Check requests path from the server that listens at addr, host:port. An answer
// other than 200, or none within five seconds, is an error.
func Check(ctx context.Context, addr, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	url := "http://" + Reachable(addr) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: this is us
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

// Reachable returns an address that a client can dial for one that a server listens
// at: localhost where the host is empty, 0.0.0.0 or ::.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
