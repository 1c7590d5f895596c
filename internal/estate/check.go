package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/pki"
)

// Check finds what is wrong with settings, without issuing, binding or running anything.
func Check(ctx context.Context, b *Base, c *config.Estate) error {
	if err := checkUser(c); err != nil {
		return &PartError{Part: "gateway", Err: err}
	}
	if c.CA != nil {
		if err := checkCA(b, c.CA); err != nil {
			return &PartError{Part: "ca", Err: err}
		}
	}
	together := *b
	together.whole = &whole{ca: c.CA}
	if c.Gateway != nil {
		if err := together.checkGateway(ctx, c.Gateway); err != nil {
			return &PartError{Part: "gateway", Err: err}
		}
	}
	if c.Monitor != nil {
		if _, err := monitor.New(c.Monitor, monitor.Options{Now: b.Now}); err != nil {
			return &PartError{Part: "monitor", Err: err}
		}
	}
	return nil
}

// checkUser refuses that a gateway gives up the rights of root for a CA in the same process, whose keys and records belong to root.
func checkUser(c *config.Estate) error {
	if c.CA == nil || c.Gateway == nil || c.Gateway.User == "" || os.Geteuid() != 0 {
		return nil
	}
	if u, err := user.Lookup(c.Gateway.User); err != nil || u.Uid == "0" {
		return nil // it is said elsewhere, or nothing is given up
	}
	return &Problem{Key: "user", Kind: Usage, Text: "all of this process would become " + pki.Printable(c.Gateway.User) + ", and the CA could not read its keys any more",
		Advice: "start all of it as that user, with CAP_NET_BIND_SERVICE for ports below 1024; or run the gateway by itself: tlswright gateway run"}
}

func (b *Base) checkGateway(ctx context.Context, c *config.Gateway) (err error) {
	if err := CheckSurroundings(c); err != nil {
		return err
	}
	dry := *c
	dry.AccessLog = ""
	options, release, err := b.DryGatewayOptions(ctx, &dry)
	defer func() { err = errors.Join(err, release()) }()
	if err != nil {
		return err
	}
	g, err := gateway.New(&dry, options)
	if err != nil {
		return err
	}
	return g.Close()
}

// CheckSurroundings makes sure that the user is there, and that the access log could be opened, without doing it.
func CheckSurroundings(g *config.Gateway) error {
	if g.User != "" {
		if _, err := user.Lookup(g.User); err != nil {
			return &Problem{Text: "user: there is no " + pki.Printable(g.User) + " on this machine", Advice: "make one: useradd --system " + pki.Printable(g.User), Err: err}
		}
	}
	if g.AccessLog == "" || g.AccessLog == "-" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(g.AccessLog))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", filepath.Dir(g.AccessLog))
	}
	if err != nil {
		return fmt.Errorf("access-log: %w", err)
	}
	return nil
}
