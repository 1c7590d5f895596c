package tlsnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

func pskOf(role tlscore.Role, name string) tlscore.PSK {
	return tlscore.PSK{Identity: []byte(name), Key: bytes.Repeat([]byte(name), 8), Role: role}
}

// visits dials a listener of the server's configuration several times with one dialer, and returns the facts of each.
func visits(t *testing.T, times int, client, server *tlsnet.Config) (facts []tlscore.Facts, err error) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.NewListener(tcp, server)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Write([]byte("x"))
			}()
		}
	}()
	d, err := tlsnet.NewDialer(client)
	if err != nil {
		return nil, err
	}
	for range times {
		c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return facts, err
		}
		io.ReadAll(c)
		facts = append(facts, c.Facts())
		c.Close()
	}
	return facts, nil
}

func TestPSKNeedsNoCertificateAndIsResumed(t *testing.T) {
	asked := 0
	lookUp := func(_ context.Context, name []byte) (*tlscore.PSK, error) {
		if asked++; string(name) != "sensor" {
			return nil, errors.New("no such key")
		}
		k := pskOf(tlscore.RoleServer, "sensor")
		return &k, nil
	}
	for name, server := range map[string]*tlsnet.Config{
		"listed":    {Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleServer, "sensor")}}},
		"looked up": {LookUpPSK: lookUp},
	} {
		client := &tlsnet.Config{Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, "sensor")}}}
		facts, err := visits(t, 2, client, server)
		if err != nil || string(facts[0].PSKIdentity) != "sensor" || facts[0].Resumed {
			t.Fatalf("%s: %v: %+v", name, err, facts)
		}
		if !facts[1].Resumed || string(facts[1].PSKIdentity) != "sensor" {
			t.Errorf("%s: resumed %v, PSK %q", name, facts[1].Resumed, facts[1].PSKIdentity)
		}
		client.Core.PSKs = []tlscore.PSK{pskOf(tlscore.RoleClient, "stranger")}
		_, err = visits(t, 1, client, server)
		var e *tlscore.Error
		if !errors.As(err, &e) || !e.Received() {
			t.Errorf("%s: a stranger: %v", name, err)
		}
	}
	if asked == 0 {
		t.Error("nobody asked for a key")
	}
}

func TestPSKsOfTheWrongRoleAreRefused(t *testing.T) {
	if _, err := tlsnet.NewDialer(&tlsnet.Config{Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleServer, "sensor")}}}); err == nil {
		t.Error("a client takes a server's key")
	}
	if _, err := tlsnet.NewListener(nil, &tlsnet.Config{Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, "sensor")}, PSKOptional: true}}); err == nil {
		t.Error("a server takes a client's key")
	}
	if _, err := tlsnet.NewDialer(&tlsnet.Config{LookUpPSK: func(context.Context, []byte) (*tlscore.PSK, error) { return nil, nil }}); err == nil {
		t.Error("a client looks keys up")
	}
}

// TestLookUpsEndWithTheHandshake: those for sessions, too, learn when nobody waits any longer.
func TestLookUpsEndWithTheHandshake(t *testing.T) {
	var lookUps, unbounded atomic.Int32
	server := &tlsnet.Config{LookUpPSK: func(ctx context.Context, _ []byte) (*tlscore.PSK, error) {
		lookUps.Add(1)
		if _, bounded := ctx.Deadline(); !bounded {
			unbounded.Add(1)
		}
		k := pskOf(tlscore.RoleServer, "sensor")
		return &k, nil
	}}
	client := &tlsnet.Config{Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, "sensor")}}}
	facts, err := visits(t, 2, client, server)
	if err != nil || !facts[1].Resumed {
		t.Fatalf("%v: %+v", err, facts)
	}
	if lookUps.Load() != 2 || unbounded.Load() != 0 {
		t.Errorf("%d look-ups, %d of them without an end", lookUps.Load(), unbounded.Load())
	}
}

// TestALookedUpKeyKeepsItsTagWhenResumed: who looks keys up learns of a resumed connection, too, which of them it rests on.
func TestALookedUpKeyKeepsItsTagWhenResumed(t *testing.T) {
	server := &tlsnet.Config{LookUpPSK: func(_ context.Context, name []byte) (*tlscore.PSK, error) {
		k := pskOf(tlscore.RoleServer, "sensor")
		k.Tag = "row of " + string(name)
		return &k, nil
	}}
	client := &tlsnet.Config{Core: tlscore.Config{PSKs: []tlscore.PSK{pskOf(tlscore.RoleClient, "sensor")}}}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.NewListener(tcp, server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := tlsnet.NewDialer(client)
	if err != nil {
		t.Fatal(err)
	}
	for _, resumed := range []bool{false, true} {
		shaken := make(chan tlscore.Facts, 1)
		go func() {
			defer close(shaken)
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := c.Write([]byte("x")); err == nil {
				shaken <- c.Facts()
			}
		}()
		c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(c) // the ticket, too
		c.Close()
		if f := <-shaken; f.Resumed != resumed || f.PSKTag != "row of sensor" || string(f.PSKIdentity) != "sensor" {
			t.Errorf("resumed %v, tag %v, PSK %q", f.Resumed, f.PSKTag, f.PSKIdentity)
		}
	}
}
