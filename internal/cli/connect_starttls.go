package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/starttls"
	"github.com/tlswright/tlswright/pki"
)

// protocol reads --starttls; 0: it is not given.
func (o *connectFlags) protocol(cmd *cobra.Command) (starttls.Protocol, error) {
	if o.starttls == "" {
		return 0, nil
	}
	p, ok := starttls.Parse(o.starttls)
	switch {
	case !ok:
		f := usagef(cmd, "--starttls: %q is no protocol that can go over to TLS", o.starttls)
		f.hint = "known are " + strings.Join(names(starttls.Protocols()), ", ")
		return 0, f
	case o.isHTTP:
		return 0, usagef(cmd, "--starttls and --http exclude each other")
	}
	return p, nil
}

// goOverToTLS leads the plain-text dialogue of --starttls, where the port does not speak TLS at once.
func (c *connector) goOverToTLS(ctx context.Context, nc net.Conn, o *outcome) error {
	if c.starttls == 0 {
		return nil
	}
	if p, isDirect := starttls.ByTLSPort(o.target.port); isDirect {
		c.app.ui.notef("%s: on port %s %v is TLS from the first byte, without --starttls", o.target.host, o.target.port, p)
		return nil
	}
	if err := nc.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	server := c.config.ServerName
	if server == "" {
		server = o.target.host
	}
	u, err := starttls.NegotiateFor(nc, c.starttls, ownName(nc), server)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	o.upgrade = &u
	return nc.SetDeadline(time.Time{}) // the handshake has a time of its own
}

// ownName is how a client without a name of its own calls itself (RFC 5321, Section 4.1.3).
func ownName(nc net.Conn) string {
	addr, err := netip.ParseAddrPort(nc.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	ip := addr.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}

// plainTextHint says what to do about a port where protocols begin in plain text, "" for other ports.
func plainTextHint(port string) string {
	for _, p := range starttls.Protocols() {
		if port == p.Port() || p == starttls.SMTP && port == "587" {
			return fmt.Sprintf("on this port %v begins in plain text: add --starttls %v", p, p)
		}
	}
	return ""
}

func upgradeRows(o *outcome) []row {
	if o.upgrade == nil {
		return nil
	}
	text := o.upgrade.Command
	if o.upgrade.Greeting != "" {
		text += ", after the greeting " + pki.Printable(o.upgrade.Greeting)
	}
	return []row{{label: "upgrade", value: text}}
}

// upgradeJSON is the plain-text part of a connection in --json.
type upgradeJSON struct {
	Command  string `json:"command"`
	Greeting string `json:"greeting"`
}

func newUpgradeJSON(o *outcome) *upgradeJSON {
	if o.upgrade == nil {
		return nil
	}
	return &upgradeJSON{o.upgrade.Command, o.upgrade.Greeting}
}
