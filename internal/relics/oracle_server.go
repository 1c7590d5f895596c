package relics

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// Old is a server of SSL 3.0 to TLS 1.2 that finishes handshakes, with RSA key exchange and nothing else, and serves a
// page: what the oracles are that need keys, it can be.
type Old struct {
	Versions []wire.Version
	Suites   []wire.CipherSuite // in the server's order
	// Quiet serves nothing: application data is taken without a word, as by a server that waits for more.
	Quiet bool

	IDs, Tickets bool // sessions can be resumed
	// EchoID changes the session id that a session resumed by ticket repeats; nil: it is repeated as it came.
	EchoID func(id []byte) []byte

	NoRenegotiationInfo bool // RFC 5746 is not known
	// Renegotiations is how many further handshakes the client may begin: 0: none. Insecure: without the proof of RFC 5746.
	Renegotiations int
	Insecure       bool
	// IgnoreRenegotiation passes over a second ClientHello instead of refusing it.
	IgnoreRenegotiation bool

	// Wrong says what a record gets that is not in order; nil: bad_record_mac, whatever is wrong.
	Wrong func(o legacy.Opened) Reaction
	// Unpadded says what a ClientKeyExchange gets whose block is not in order; nil: nothing, as RFC 5246, Section 7.4.7.1 asks.
	// wrong is what is wrong with it.
	Unpadded func(wrong string) Reaction
	// AtOnce lets Unpadded speak before the client's Finished has come.
	AtOnce bool

	leaf *pkitest.Leaf
	mu   sync.Mutex
	kept map[string][]byte // master secrets by session id and by ticket
}

// Reaction is what a server does about something that is wrong.
type Reaction struct {
	Accept bool           // goes on as if all was well
	Alert  wire.AlertCode // 0: none
	Open   bool           // keeps the connection open, and listens no more
}

// Fatal is the reaction of a healthy server.
func Fatal(code wire.AlertCode) Reaction { return Reaction{Alert: code} }

// Start starts the server.
func (s *Old) Start(t testing.TB) *Server {
	t.Helper()
	s.leaf = pkitest.New(t, pkitest.P256).Server(pkitest.RSA2048)
	s.kept = make(map[string][]byte)
	return Start(t, func(nc net.Conn) {
		c := &oldTalk{Conn: nc, s: s, messages: wire.Joiner{Max: 1 << 16}}
		c.serve()
	})
}

// oldTalk is one connection of it.
type oldTalk struct {
	net.Conn
	s        *Old
	in, out  *legacy.Cipher // nil: in the clear
	version  wire.Version
	suite    *legacy.Suite
	messages wire.Joiner
	made     int // handshakes

	hello      wire.ClientHello
	random     [32]byte
	sessionID  []byte
	transcript []byte
	master     []byte
	ems        bool
	ticketDue  bool
	proof      []byte // both verify_data of the last handshake
}

// serve speaks until the client has enough or has gone too far.
func (c *oldTalk) serve() {
	for {
		typ, content, ok := c.read()
		switch {
		case !ok:
			return
		case typ == wire.ContentHandshake:
			c.messages.Add(content)
			raw, whole, err := c.messages.Next()
			if err != nil || whole && !c.handshake(bytes.Clone(raw)) {
				return
			}
		case typ == wire.ContentApplicationData && c.made > 0:
			if len(content) > 0 && !c.s.Quiet {
				c.write(wire.ContentApplicationData, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
				c.alert(wire.AlertLevelWarning, wire.AlertCloseNotify)
				return
			}
		case typ == wire.ContentAlert:
			c.alert(wire.AlertLevelWarning, wire.AlertCloseNotify)
			return
		default:
			c.alert(wire.AlertLevelFatal, wire.AlertUnexpectedMessage)
			return
		}
	}
}

// read takes a record; what is not in order gets the reaction of the script.
func (c *oldTalk) read() (wire.ContentType, []byte, bool) {
	raw, ok := readRecord(c.Conn)
	if !ok {
		return 0, nil, false
	}
	typ := wire.ContentType(raw[0])
	if c.in == nil {
		return typ, raw[wire.RecordHeaderLen:], true
	}
	o, err := c.in.Inspect(raw)
	if err == nil && o.MACOK && o.PaddingOK && !o.NoRoom {
		return typ, o.Content, true
	}
	reaction := Fatal(wire.AlertBadRecordMAC)
	if err == nil && c.s.Wrong != nil {
		reaction = c.s.Wrong(o)
	}
	return typ, o.Content, c.react(reaction)
}

// react does what a reaction says; true: the conversation goes on.
func (c *oldTalk) react(r Reaction) bool {
	if r.Accept {
		return true
	}
	if r.Alert != 0 {
		c.alert(wire.AlertLevelFatal, r.Alert)
	}
	if r.Open {
		_, _ = io.Copy(io.Discard, c.Conn) // until the client gives up
	}
	return false
}

// readRecord takes a record as it stands.
func readRecord(r io.Reader) ([]byte, bool) {
	head := make([]byte, wire.RecordHeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, false
	}
	h, _ := wire.ParseRecordHeader(head)
	raw := append(head, make([]byte, h.Length)...)
	_, err := io.ReadFull(r, raw[wire.RecordHeaderLen:])
	return raw, err == nil
}

func (c *oldTalk) write(typ wire.ContentType, content []byte) {
	var out []byte
	if c.out == nil {
		out = wire.AppendRecordHeader(nil, wire.RecordHeader{Type: typ, Version: max(c.version, wire.VersionSSL30), Length: len(content)})
		out = append(out, content...)
	} else {
		var err error
		if out, err = c.out.Seal(nil, typ, content); err != nil {
			return
		}
	}
	_, _ = c.Conn.Write(out) // the client may be gone
}

func (c *oldTalk) alert(level wire.AlertLevel, code wire.AlertCode) {
	c.write(wire.ContentAlert, wire.Alert{Level: level, Code: code}.Append(nil))
}

// handshake makes a handshake that begins with this hello; false: the conversation is over.
func (c *oldTalk) handshake(raw []byte) bool {
	c.hello = wire.ClientHello{}
	if c.hello.Parse(raw) != nil {
		c.alert(wire.AlertLevelFatal, wire.AlertDecodeError)
		return false
	}
	if c.made > 0 {
		if c.s.IgnoreRenegotiation {
			return true
		}
		if !c.mayRenegotiate() {
			c.alert(wire.AlertLevelWarning, wire.AlertNoRenegotiation)
			return true
		}
	}
	c.transcript = raw
	if !c.choose() {
		c.alert(wire.AlertLevelFatal, wire.AlertHandshakeFailure)
		return false
	}
	resumed := c.resumable()
	c.sendHello(resumed != nil)
	if resumed != nil {
		c.master = resumed
		if c.finish(false) && c.takeFinished() {
			c.made++
			return true
		}
		return false
	}
	flight := wire.AppendMessage(nil, &wire.Certificate12{Chain: c.s.leaf.Chain})
	flight = wire.AppendMessage(flight, &wire.ServerHelloDone{})
	c.transcript = append(c.transcript, flight...)
	c.write(wire.ContentHandshake, flight)
	if !c.takeKeyExchange() || !c.takeFinished() || !c.finish(true) {
		return false
	}
	c.made++
	return true
}

// mayRenegotiate says whether another handshake is allowed, by number and by the proof of RFC 5746.
func (c *oldTalk) mayRenegotiate() bool {
	if c.made > c.s.Renegotiations {
		return false
	}
	data, has := c.hello.Extensions.Find(wire.ExtRenegotiationInfo)
	if !has || c.s.NoRenegotiationInfo {
		return c.s.Insecure
	}
	return len(data) > 0 && bytes.Equal(data[1:], c.proof[:len(c.proof)/2])
}

// choose picks version and suite.
func (c *oldTalk) choose() bool {
	c.version, c.suite = 0, nil
	for _, v := range c.s.Versions {
		if v <= c.hello.LegacyVersion {
			c.version = max(c.version, v)
		}
	}
	for _, id := range c.s.Suites {
		s, ok := legacy.ByID(id)
		if ok && c.suite == nil && slices.Contains(c.hello.CipherSuites, id) && c.version >= s.Since() {
			c.suite = s
		}
	}
	return c.version != 0 && c.suite != nil
}

// resumable gives the master secret of the session that the client wants to resume; nil: there is none.
func (c *oldTalk) resumable() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	ticket, has := c.hello.Extensions.Find(wire.ExtSessionTicket)
	c.ticketDue = has && c.s.Tickets
	c.sessionID = nil
	if c.ticketDue && c.s.kept[string(ticket)] != nil {
		c.sessionID = c.hello.SessionID
		if c.s.EchoID != nil {
			c.sessionID = c.s.EchoID(c.sessionID)
		}
		c.ticketDue = false
		return c.s.kept[string(ticket)]
	}
	if c.s.IDs && c.s.kept[string(c.hello.SessionID)] != nil {
		c.sessionID = c.hello.SessionID
		return c.s.kept[string(c.hello.SessionID)]
	}
	if c.s.IDs && !c.ticketDue {
		c.sessionID = make([]byte, 32)
		_, _ = rand.Read(c.sessionID) // never fails
	}
	return nil
}

func (c *oldTalk) sendHello(resumed bool) {
	_, _ = rand.Read(c.random[:]) // never fails
	m := &wire.ServerHello{LegacyVersion: c.version, Random: c.random, SessionID: c.sessionID, CipherSuite: c.suite.ID}
	_, asks := c.hello.Extensions.Find(wire.ExtRenegotiationInfo)
	if (asks || slices.Contains(c.hello.CipherSuites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)) && !c.s.NoRenegotiationInfo {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtRenegotiationInfo, Data: append([]byte{byte(len(c.proof))}, c.proof...)})
	}
	_, c.ems = c.hello.Extensions.Find(wire.ExtExtendedMasterSecret)
	if c.ems {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtExtendedMasterSecret})
	}
	if c.ticketDue && !resumed {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtSessionTicket})
	}
	raw := wire.AppendMessage(nil, m)
	c.transcript = append(c.transcript, raw...)
	c.write(wire.ContentHandshake, raw)
}

// takeKeyExchange reads the ClientKeyExchange and makes the master secret of it.
func (c *oldTalk) takeKeyExchange() bool {
	var raw []byte
	for raw == nil {
		typ, content, ok := c.read()
		if !ok || typ != wire.ContentHandshake {
			return false
		}
		c.messages.Add(content)
		message, whole, err := c.messages.Next()
		if err != nil {
			return false
		}
		if whole {
			raw = bytes.Clone(message)
		}
	}
	c.transcript = append(c.transcript, raw...)
	sealed := raw[4:]
	if c.version > wire.VersionSSL30 && len(sealed) > 2 {
		sealed = sealed[2:]
	}
	premaster, wrong := c.decrypt(sealed)
	if wrong != "" && c.s.Unpadded != nil {
		if !c.s.AtOnce {
			if _, _, ok := c.read(); !ok { // ChangeCipherSpec
				return false
			}
			if _, ok := readRecord(c.Conn); !ok {
				return false
			}
		}
		if !c.react(c.s.Unpadded(wrong)) {
			return false
		}
	}
	if c.ems {
		c.master = legacy.ExtendedMaster(c.version, c.suite.Hash, premaster, c.transcript)
	} else {
		c.master = legacy.Master(c.version, c.suite.Hash, premaster, c.randoms())
	}
	return true
}

func (c *oldTalk) randoms() *legacy.Randoms {
	return &legacy.Randoms{Client: c.hello.Random, Server: c.random}
}

// decrypt takes the secret out of its block. What is wrong with the block is said in a word, and a random secret takes its
// place.
func (c *oldTalk) decrypt(sealed []byte) (premaster []byte, wrong string) {
	key := c.s.leaf.Key.(*rsa.PrivateKey)
	block := rawRSA(key, sealed)
	premaster = make([]byte, legacy.MasterLen)
	_, _ = rand.Read(premaster) // never fails
	at := len(block) - legacy.MasterLen - 1
	zero := bytes.IndexByte(block[2:], 0) + 2
	switch {
	case block[0] != 0 || block[1] != 2:
		return premaster, "start"
	case zero < 2:
		return premaster, "no zero"
	case zero != at:
		return premaster, "zero elsewhere"
	case !bytes.Equal(block[at+1:at+3], []byte{byte(c.hello.LegacyVersion >> 8), byte(c.hello.LegacyVersion)}):
		return premaster, "version"
	}
	return block[at+1:], ""
}

// rawRSA decrypts a block, whatever is in it.
func rawRSA(key *rsa.PrivateKey, sealed []byte) []byte {
	c := new(big.Int).SetBytes(sealed)
	p, q := key.Primes[0], key.Primes[1]
	// By the Chinese remainder theorem, which takes a quarter of the time.
	mp := new(big.Int).Exp(c, key.Precomputed.Dp, p)
	mq := new(big.Int).Exp(c, key.Precomputed.Dq, q)
	h := new(big.Int).Sub(mp, mq)
	h.Mul(h, key.Precomputed.Qinv).Mod(h, p)
	return h.Mul(h, q).Add(h, mq).FillBytes(make([]byte, key.Size()))
}

// takeFinished reads ChangeCipherSpec and Finished.
func (c *oldTalk) takeFinished() bool {
	for {
		typ, _, ok := c.read()
		if !ok {
			return false
		}
		if typ == wire.ContentChangeCipherSpec {
			break
		}
	}
	var err error
	if c.in, err = legacy.NewCipher(c.suite, c.version, c.suite.Keys(c.version, c.master, c.randoms()).Client, false, nil); err != nil {
		return false
	}
	typ, content, ok := c.read()
	want := appendMessage(nil, wire.TypeFinished, legacy.Finished(c.version, c.suite.Hash, c.master, true, c.transcript))
	if !ok {
		return false
	}
	if typ != wire.ContentHandshake || !bytes.Equal(content, want) {
		c.alert(wire.AlertLevelFatal, wire.AlertDecryptError)
		return false
	}
	c.transcript = append(c.transcript, content...)
	c.keepProof(true, content[4:])
	return true
}

// keepProof keeps verify_data for RFC 5746: the client's, then the server's.
func (c *oldTalk) keepProof(client bool, data []byte) {
	half := len(data)
	if len(c.proof) != 2*half {
		c.proof = make([]byte, 2*half)
	} else {
		c.proof = bytes.Clone(c.proof)
	}
	if client {
		copy(c.proof, data)
	} else {
		copy(c.proof[half:], data)
	}
}

// finish sends a ticket where one is due, ChangeCipherSpec and Finished.
func (c *oldTalk) finish(keep bool) bool {
	if keep {
		c.keep()
	}
	c.write(wire.ContentChangeCipherSpec, []byte{1})
	verify := legacy.Finished(c.version, c.suite.Hash, c.master, false, c.transcript)
	c.keepProof(false, verify)
	finished := appendMessage(nil, wire.TypeFinished, verify)
	c.transcript = append(c.transcript, finished...)
	var err error
	if c.out, err = legacy.NewCipher(c.suite, c.version, c.suite.Keys(c.version, c.master, c.randoms()).Server, false, rand.Reader); err != nil {
		return false
	}
	c.write(wire.ContentHandshake, finished)
	return true
}

// keep remembers the session, and sends the ticket that is due.
func (c *oldTalk) keep() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if len(c.sessionID) > 0 {
		c.s.kept[string(c.sessionID)] = c.master
	}
	if c.ticketDue {
		ticket := make([]byte, 48)
		_, _ = rand.Read(ticket) // never fails
		c.s.kept[string(ticket)] = c.master
		raw := wire.AppendMessage(nil, &wire.NewSessionTicket12{LifetimeHint: 300, Ticket: ticket})
		c.transcript = append(c.transcript, raw...)
		c.write(wire.ContentHandshake, raw)
	}
}
