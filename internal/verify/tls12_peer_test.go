package verify

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// client12 is a TLS 1.2 client of straight-line code, put together from the primitives: what it and a foreign server
// agree upon, the primitives do right.
type client12 struct {
	conn       net.Conn
	suite      *suite.Suite
	group      wire.Group
	schemes    []wire.SignatureScheme
	extended   bool // offer the extended master secret
	identity   *pkitest.Leaf
	randoms    keys.Randoms
	transcript keys.Transcript
	joiner     wire.Joiner
	in         []byte
	opener     *record.Opener
	sealer     *record.Sealer
	master     keys.Master12
	serverKey  LeafKey
	status     []byte
	asked      *wire.CertificateRequest12
	ticket     *wire.NewSessionTicket12
}

// next reads one record and opens it. The content is good until the next call.
func (c *client12) next() (typ wire.ContentType, content []byte, err error) {
	for {
		rec, need, err := wire.Deframe(c.in, wire.MaxCiphertext12)
		if err != nil {
			return 0, nil, err
		}
		if rec != nil {
			c.in = c.in[len(rec):]
			if c.opener != nil {
				return c.opener.Open(rec)
			}
			return wire.ContentType(rec[0]), rec[wire.RecordHeaderLen:], nil
		}
		more := make([]byte, need)
		if _, err := io.ReadFull(c.conn, more); err != nil {
			return 0, nil, err
		}
		c.in = append(slices.Clone(c.in), more...)
	}
}

// message reads one handshake message and adds it to the transcript, unless it is a Finished.
func (c *client12) message() (wire.Message, error) {
	for {
		raw, ok, err := c.joiner.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			raw = bytes.Clone(raw)
			m, err := wire.ParseMessage12(raw)
			if err == nil && m.Type() != wire.TypeFinished {
				c.transcript.Add(raw)
			}
			return m, err
		}
		typ, content, err := c.next()
		if err != nil {
			return nil, err
		}
		if typ != wire.ContentHandshake {
			return nil, fmt.Errorf("%v %x in place of a handshake message", typ, content)
		}
		c.joiner.Add(content)
	}
}

// send appends a message to a flight and to the transcript.
func (c *client12) send(flight []byte, m wire.Message) []byte {
	raw := wire.AppendMessage(nil, m)
	c.transcript.Add(raw)
	return record.AppendPlaintext(flight, wire.ContentHandshake, wire.VersionTLS12, raw)
}

func (c *client12) hello() *wire.ClientHello {
	h := &wire.ClientHello{
		LegacyVersion: wire.VersionTLS12, CipherSuites: []wire.CipherSuite{c.suite.ID}, CompressionMethods: []byte{0}, SessionID: []byte{},
	}
	_, _ = rand.Read(c.randoms.Client[:])
	h.Random = c.randoms.Client
	h.Extensions.Add(&wire.SupportedGroups{Groups: []wire.Group{c.group, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}})
	h.Extensions.Add(&wire.ECPointFormats{Formats: []byte{0}})
	h.Extensions.Add(&wire.SignatureAlgorithms{Schemes: c.schemes})
	h.Extensions.Add(&wire.RenegotiationInfo{Data: []byte{}})
	h.Extensions.Add(&wire.SessionTicket{})
	h.Extensions.Add(&wire.StatusRequest{Type: wire.StatusTypeOCSP})
	if c.extended {
		h.Extensions.Add(&wire.ExtendedMasterSecret{})
	}
	return h
}

func (c *client12) handshake() error {
	c.transcript.Keep()
	if _, err := c.conn.Write(c.send(nil, c.hello())); err != nil {
		return err
	}
	point, err := c.serverFlight()
	if err != nil {
		return err
	}
	if err := c.clientFlight(point); err != nil {
		return err
	}
	return c.serverFinished()
}

// serverFlight reads up to ServerHelloDone and gives the server's point.
func (c *client12) serverFlight() (point []byte, err error) {
	for {
		m, err := c.message()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *wire.ServerHello:
			c.randoms.Server = m.Random
			if m.CipherSuite != c.suite.ID {
				return nil, fmt.Errorf("the server chose %v", m.CipherSuite)
			}
			if _, confirmed := m.Extensions.Find(wire.ExtExtendedMasterSecret); confirmed != c.extended {
				return nil, errors.New("extended master secret: the server does not follow")
			}
			c.transcript.Begin(c.suite.Hash)
		case *wire.Certificate12:
			if c.serverKey, err = Leaf(m.Chain[0]); err != nil {
				return nil, err
			}
			if !c.suite.Auth.Fits(c.serverKey.Kind) {
				return nil, fmt.Errorf("%v with %v", c.suite.ID, c.serverKey.Kind)
			}
		case *wire.CertificateStatus12:
			c.status = m.Response
		case *wire.ServerKeyExchange:
			proof, err := ServerKeyExchange(suite.SchemeByID(m.Scheme), c.serverKey, &c.randoms, m.AppendParams(nil), m.Signature)
			if err != nil || !proof.Holds() {
				return nil, err
			}
			if !slices.Contains(c.schemes, m.Scheme) || m.Group != c.group {
				return nil, fmt.Errorf("%v and %v were not offered", m.Scheme, m.Group)
			}
			point = m.Public
		case *wire.CertificateRequest12:
			c.asked = m
		case *wire.ServerHelloDone:
			return point, nil
		default:
			return nil, fmt.Errorf("unexpected %v", m.Type())
		}
	}
}

func (c *client12) clientFlight(point []byte) error {
	ours, shared, err := suite.GroupByID(c.group).Respond(point)
	if err != nil {
		return err
	}
	var flight []byte
	if c.asked != nil {
		flight = c.send(flight, &wire.Certificate12{Chain: c.identity.Chain})
	}
	flight = c.send(flight, &wire.ClientKeyExchange{Public: ours})
	premaster := keys.NewPremaster12(c.suite.Hash, shared)
	if c.extended {
		c.master = premaster.Extended(c.transcript.Sum())
	} else {
		c.master = premaster.Plain(&c.randoms)
	}
	if c.asked != nil {
		verify, err := c.certificateVerify()
		if err != nil {
			return err
		}
		flight = c.send(flight, verify)
	}
	block := c.master.KeyBlock(&c.randoms, c.suite.KeyLen, c.suite.IVLen)
	if c.sealer, err = record.NewSealer12(c.suite, block.ClientKey, block.ClientIV); err != nil {
		return err
	}
	opener, err := record.NewOpener12(c.suite, block.ServerKey, block.ServerIV)
	if err != nil {
		return err
	}
	finished := wire.AppendMessage(nil, &wire.Finished{VerifyData: c.master.ClientFinished(c.transcript.Sum())})
	c.transcript.Add(finished)
	flight = record.AppendPlaintext(flight, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
	if flight, err = c.sealer.Seal(flight, wire.ContentHandshake, finished, 0); err != nil {
		return err
	}
	if _, err := c.conn.Write(flight); err != nil {
		return err
	}
	return c.changeCipherSpec(opener)
}

// certificateVerify signs the transcript with the first scheme that both know and the key fits.
func (c *client12) certificateVerify() (*wire.CertificateVerify, error) {
	kind := suite.KindOf(c.identity.Key.Public(), false)
	for _, id := range c.asked.Schemes {
		if s := suite.SchemeByID(id); s != nil && s.FitsTLS12(kind) {
			sig, err := suite.SignTLS12(c.identity.Key, s, c.transcript.Messages())
			if err != nil {
				return nil, err
			}
			// The server's check, as ours would be.
			key, err := Leaf(c.identity.Chain[0])
			if err != nil {
				return nil, err
			}
			if proof, err := CertificateVerify12(s, key, c.transcript.Messages(), sig); err != nil || !proof.Holds() {
				return nil, err
			}
			return &wire.CertificateVerify{Scheme: id, Signature: sig}, nil
		}
	}
	return nil, fmt.Errorf("%v with none of %v", kind, c.asked.Schemes)
}

// changeCipherSpec waits for the server's, with a NewSessionTicket before it.
func (c *client12) changeCipherSpec(opener *record.Opener) error {
	for {
		typ, content, err := c.next()
		if err != nil {
			return err
		}
		if typ == wire.ContentChangeCipherSpec && c.joiner.Empty() {
			c.opener = opener
			return nil
		}
		if typ != wire.ContentHandshake {
			return fmt.Errorf("%v %x in place of change_cipher_spec", typ, content)
		}
		c.joiner.Add(content)
		for !c.joiner.Empty() {
			m, err := c.message()
			if err != nil {
				return err
			}
			ticket, ok := m.(*wire.NewSessionTicket12)
			if !ok {
				return fmt.Errorf("unexpected %v", m.Type())
			}
			c.ticket = ticket
		}
	}
}

func (c *client12) serverFinished() error {
	m, err := c.message()
	if err != nil {
		return err
	}
	finished, ok := m.(*wire.Finished)
	if !ok {
		return fmt.Errorf("unexpected %v", m.Type())
	}
	_, err = Finished12(ServerSigner, c.master, c.transcript.Sum(), finished.VerifyData)
	return err
}

// echo sends application data and waits for it to come back.
func (c *client12) echo(data []byte) error {
	rec, err := c.sealer.Seal(nil, wire.ContentApplicationData, data, 0)
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(rec); err != nil {
		return err
	}
	for len(data) > 0 {
		typ, content, err := c.next()
		if err != nil {
			return err
		}
		if typ != wire.ContentApplicationData || !bytes.HasPrefix(data, content) {
			return fmt.Errorf("%v of %d bytes came back", typ, len(content))
		}
		data = data[len(content):]
	}
	return nil
}

// echoServer is crypto/tls at the other end, which sends back what it gets until the client closes.
type echoServer struct {
	conn *tls.Conn
	keys chan string   // the lines of its key log
	up   chan struct{} // closed after the handshake
	done chan error
}

func serve(conn net.Conn, config *tls.Config) *echoServer {
	s := &echoServer{keys: make(chan string, 4), up: make(chan struct{}), done: make(chan error, 1)}
	config.KeyLogWriter = s
	s.conn = tls.Server(conn, config)
	go func() { s.done <- s.run() }()
	return s
}

// Write takes a line of the key log.
func (s *echoServer) Write(p []byte) (int, error) {
	s.keys <- string(p)
	return len(p), nil
}

func (s *echoServer) run() error {
	defer s.conn.Close()
	if err := s.conn.Handshake(); err != nil {
		return err
	}
	close(s.up)
	buf := make([]byte, 1<<14)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return nil // the client has closed
		}
		if _, err := s.conn.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// against runs a handshake with crypto/tls and compares all that both ends compute.
func against(t *testing.T, c *client12, ca *pkitest.CA, server *pkitest.Leaf) {
	t.Helper()
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: server.Chain, PrivateKey: server.Key, OCSPStaple: []byte("staple")}},
		MinVersion:   tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		CipherSuites:     []uint16{uint16(c.suite.ID)},
		CurvePreferences: []tls.CurveID{tls.CurveID(c.group)},
	}
	if c.identity != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(ca.Root)
		config.Time = func() time.Time { return ca.Now }
	}
	near, far := net.Pipe()
	deadline := time.Now().Add(20 * time.Second)
	if err := errors.Join(near.SetDeadline(deadline), far.SetDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	c.conn = near
	peer := serve(far, config)
	defer func() {
		_ = near.Close()
		if err := <-peer.done; err != nil {
			t.Errorf("server: %v", err)
		}
	}()
	if err := c.handshake(); err != nil {
		t.Errorf("client: %v", err)
		return
	}
	if want := fmt.Sprintf("CLIENT_RANDOM %x %x\n", c.randoms.Client, c.master.Secret()); <-peer.keys != want {
		t.Error("the key log of the server has another master secret")
	}
	for _, n := range []int{1, 100, wire.MaxPlaintext} {
		if err := c.echo(bytes.Repeat([]byte{byte(n)}, n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if string(c.status) != "staple" || c.ticket == nil || (c.asked != nil) != (c.identity != nil) {
		t.Errorf("staple %q, ticket %v, certificate asked for: %v", c.status, c.ticket, c.asked)
	}
	if c.asked != nil && (!slices.Contains(c.asked.Types, wire.ClientCertificateECDSASign) || !bytes.Equal(c.asked.Authorities[0], ca.Root.RawSubject)) {
		t.Errorf("asked for %v of %x", c.asked.Types, c.asked.Authorities)
	}
	compareExporters(t, c, peer)
}

// compareExporters asks both ends. crypto/tls has none without the extended master secret.
func compareExporters(t *testing.T, c *client12, peer *echoServer) {
	t.Helper()
	if !c.extended {
		return
	}
	<-peer.up
	state := peer.conn.ConnectionState()
	for _, context := range [][]byte{nil, {}, []byte("context")} {
		theirs, err := state.ExportKeyingMaterial("EXPORTER-test", context, 50)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := c.master.Exporter(&c.randoms).Export("EXPORTER-test", context, 50)
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("exporter with context %q: %x, want %x (%v)", context, ours, theirs, err)
		}
	}
}

func TestHandshakesOfTLS12AgreeWithCryptoTLS(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := map[suite.Auth]*pkitest.Leaf{suite.AuthECDSA: ca.Server(pkitest.P256), suite.AuthRSA: ca.Server(pkitest.RSA2048)}
	for _, id := range suite.Defaults12() {
		for _, extended := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, extended master secret %v", id, extended), func(t *testing.T) {
				s := suite.ByID12(id)
				against(t, &client12{suite: s, group: wire.GroupX25519, schemes: suite.DefaultSchemes(), extended: extended}, ca, leaf[s.Auth])
			})
		}
	}
	for _, group := range []wire.Group{wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1} {
		t.Run(group.String(), func(t *testing.T) {
			s := suite.ByID12(wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
			against(t, &client12{suite: s, group: group, schemes: suite.DefaultSchemes(), extended: true}, ca, leaf[s.Auth])
		})
	}
}

// Every scheme signs the server's key exchange and the client's CertificateVerify, ECDSA with every curve.
func TestSignaturesOfTLS12AgreeWithCryptoTLS(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	n := 0
	for _, k := range pkitest.KeyTypes() {
		if k == pkitest.RSAPSS {
			continue // crypto/tls does not read such certificates
		}
		server, client := ca.Server(k), ca.Client(k, "client")
		key, err := Leaf(server.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		id := wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		if suite.AuthRSA.Fits(key.Kind) {
			id = wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
		}
		for _, scheme := range suite.DefaultSchemes() {
			if !key.FitsTLS12(suite.SchemeByID(scheme)) {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s with %v", k, scheme), func(t *testing.T) {
				against(t, &client12{suite: suite.ByID12(id), group: wire.GroupX25519, schemes: []wire.SignatureScheme{scheme},
					extended: true, identity: client}, ca, server)
			})
		}
	}
	if n != 3*3+1+6 {
		t.Errorf("%d cases", n)
	}
}
