package tlsnet

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Prepared is a server's configuration that was checked once, to be chosen by [Config.ForClient]. It may be used for any
// number of connections and listeners at once.
type Prepared struct{ set *settings }

// Prepare checks a server's configuration. tag is the caller's, and comes back from [Conn.Tag] of the connections that
// the configuration was chosen for. What the ForClient of c says is not asked.
func Prepare(c *Config, tag any) (*Prepared, error) {
	s, err := c.compile(tlscore.RoleServer)
	if err != nil {
		return nil, err
	}
	s.tag, s.forClient = tag, nil
	return &Prepared{set: s}, nil
}

// ClientHello is what [Config.ForClient] chooses by: the client's first words, of which nothing is proven.
type ClientHello struct {
	ServerName string   // lower case; "": none was given (RFC 6066, Section 3)
	ALPN       []string // in the client's order (RFC 7301, Section 3.1)
	Local      net.Addr
	Remote     net.Addr
	Message    *wire.ClientHello // valid during the call only
}

// Tag returns what [Prepare] was given with the configuration that [Config.ForClient] chose for this connection: nil
// before the handshake, and where it chose none. Decisions about what a connection may do rest on this, and not on the
// server name, which another configuration may have been chosen for.
func (c *Conn) Tag() any {
	if !c.shake.done.Load() && !c.shake.early.Load() {
		c.shake.mu.Lock()
		defer c.shake.mu.Unlock()
	}
	return c.set.tag
}

// chooseSettings looks at the ClientHello before the machine does, and takes over the configuration that was chosen by
// it. A hello that cannot be read is left to the machine, which refuses it. Both halves are locked.
func (c *Conn) chooseSettings() error {
	if c.set.forClient == nil {
		return nil
	}
	for {
		hello, need, err := peekHello(c.in.unread())
		switch {
		case err != nil:
			return nil
		case hello != nil:
			return c.takeSettings(hello)
		case c.in.w-c.in.r+need > recordBufferLen:
			return c.refuseHello(&RefusalError{Alert: wire.AlertHandshakeFailure,
				Err: fmt.Errorf("tlsnet: the ClientHello is longer than the %d bytes that it is looked for a name in", recordBufferLen)})
		}
		if err := c.fillHandshake(need); err != nil {
			return err
		}
	}
}

// takeSettings asks for the configuration. Where the one that is chosen can decrypt another ClientHello inside of this one
// (RFC 9849), it is asked for that one: the name in there is the one that the connection is for, and must not be had by
// what a configuration for the public name allows.
func (c *Conn) takeSettings(raw []byte) error {
	hello := new(wire.ClientHello)
	if hello.Parse(raw) != nil {
		return nil // the machine says what is wrong with it
	}
	h := c.clientHello(hello)
	if h == nil {
		return nil
	}
	set, err := c.settingsFor(h)
	if err != nil {
		return c.refuseHello(err)
	}
	inner := tlscore.InnerDeclined
	if hidden := set.params.InnerHello(raw); hidden != nil {
		own, choice, err := c.settingsForInner(hidden, raw)
		if err != nil {
			return c.refuseHello(err)
		}
		if inner = choice; inner == tlscore.InnerTaken {
			set = own
		}
	}
	c.ech.inner = &inner
	if set != c.set {
		c.set = set
		c.machine = tlscore.NewServer(set.params, set.options(""))
	}
	return nil
}

// settingsFor asks for the configuration of a hello.
func (c *Conn) settingsFor(h *ClientHello) (*settings, error) {
	chosen, err := c.set.forClient(h)
	if err != nil || chosen == nil {
		return c.set, err
	}
	return chosen.set, nil
}

// settingsForInner asks for that of a hello that was decrypted, and says whether it takes that hello.
func (c *Conn) settingsForInner(inner *wire.ClientHello, raw []byte) (*settings, tlscore.Inner, error) {
	h := c.clientHello(inner)
	if h == nil {
		return nil, tlscore.InnerDeclined, nil
	}
	set, err := c.settingsFor(h)
	switch {
	case err != nil:
		return nil, tlscore.InnerDeclined, err
	case set.params.InnerHello(raw) == nil && set.params.HasECHKeys(): // other ones
		return nil, tlscore.InnerStale, nil
	case set.params.InnerHello(raw) == nil, set.ech.accept != nil && !set.ech.accept(h):
		return nil, tlscore.InnerDeclined, nil
	}
	return set, tlscore.InnerTaken, nil
}

// clientHello is what is chosen by; nil: it cannot be read.
func (c *Conn) clientHello(hello *wire.ClientHello) *ClientHello {
	var names wire.ServerNames
	var protocols wire.ALPN
	h := &ClientHello{Local: c.LocalAddr(), Remote: c.RemoteAddr(), Message: hello}
	if ok, err := hello.Ext(&names); err != nil {
		return nil
	} else if name, has := names.HostName(); ok && has {
		h.ServerName = strings.ToLower(name)
	}
	if ok, err := hello.Ext(&protocols); err != nil {
		return nil
	} else if ok {
		h.ALPN = protocols.Protocols
	}
	return h
}

// refuseHello ends the handshake before the machine has seen anything of it.
func (c *Conn) refuseHello(err error) error {
	alert := wire.AlertUnrecognizedName
	var refusal *RefusalError
	if errors.As(err, &refusal) {
		alert = refusal.Alert
	}
	c.shake.started = true
	out, startErr := c.machine.Start(c.set.now(), nil)
	if startErr != nil {
		return startErr
	}
	if out, startErr = c.machine.Abort(alert, out); startErr != nil {
		return startErr
	}
	c.in.stop(c.pool, err)
	return c.refuse(err, out)
}

// peekHello reads the ClientHello at the beginning of in without taking it away. If it is not there whole, need is how
// many more bytes are wanted at least. The error says that it is no message.
func peekHello(in []byte) (hello []byte, need int, err error) {
	var joiner wire.Joiner
	for {
		rec, need, err := wire.Deframe(in, maxPlaintext)
		switch {
		case err != nil:
			return nil, 0, err
		case rec == nil:
			return nil, need, nil
		}
		head, _ := wire.ParseRecordHeader(rec)
		if head.Type != wire.ContentHandshake {
			return nil, 0, errors.New("not a handshake record")
		}
		in = in[len(rec):]
		joiner.Add(rec[wire.RecordHeaderLen:])
		raw, ok, err := joiner.Next()
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			continue
		}
		return raw, 0, nil
	}
}

// maxPlaintext is the longest fragment of a record that is not protected (RFC 8446, Section 5.1).
const maxPlaintext = 1 << 14
