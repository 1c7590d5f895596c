package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

const day = 24 * time.Hour

// endpoint is one of the farm's, with what a monitor should say of it.
type endpoint struct {
	Name    string // that its certificate is for
	Address string
	Kind    kind
	Want    watch.State
}

// kind is what an endpoint is like.
type kind string

// The kinds.
const (
	healthy  kind = "healthy"
	withRSA  kind = "healthy, RSA"
	soon     kind = "runs out in 20 days"
	verySoon kind = "runs out in 3 days"
	over     kind = "expired"
	misnamed kind = "another name"
	stranger kind = "a stranger's CA"
	alone    kind = "without its intermediate"
	closed   kind = "dead: nobody listens"
	full     kind = "dead: takes no connection"
	slow     kind = "slow: two seconds for a flight"
	endless  kind = "slow: never comes to an end"
)

// wanted is the state of a kind.
func wanted(k kind) watch.State {
	switch k {
	case soon:
		return watch.Warning
	case verySoon, misnamed, stranger, alone:
		return watch.Critical
	case over:
		return watch.Expired
	case closed, full, endless:
		return watch.Error
	}
	return watch.OK
}

// mix is how many of each kind a farm of n endpoints has: in a hundred two are dead, two slow, and six have something wrong.
func mix(n int) []kind {
	var list []kind
	add := func(k kind, share float64) {
		for range max(1, int(float64(n)*share)) {
			list = append(list, k)
		}
	}
	for _, k := range []kind{soon, verySoon, over, misnamed, stranger, alone, closed, full, slow, endless} {
		add(k, 0.01)
	}
	add(withRSA, 0.1)
	for len(list) < n {
		list = append(list, healthy)
	}
	return list
}

// allHealthy is a farm in which nothing is wrong, with a tenth of RSA.
func allHealthy(n int) []kind {
	list := make([]kind, n)
	for i := range list {
		if list[i] = healthy; i%10 == 9 {
			list[i] = withRSA
		}
	}
	return list
}

// farm is many TLS servers, each with an address and a certificate of its own.
type farm struct {
	dir       string        // root.pem lies there
	pause     time.Duration // of servers that are slow
	endpoints []endpoint
	closers   []io.Closer
}

// authority issues for a farm: a root, and an intermediate that does.
type authority struct {
	root, middle pki.Issuer
	rsa          crypto.Signer // one for all, for making such keys takes long
}

func newAuthority(name string) (*authority, error) {
	now := time.Now().Add(-400 * day)
	a := new(authority)
	var err error
	if a.root.Key, err = pki.GenerateKey(pki.P256); err != nil {
		return nil, err
	}
	if a.root.Certificate, err = pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: name + " Root", NotBefore: now}, a.root.Key, now); err != nil {
		return nil, err
	}
	if a.middle.Key, err = pki.GenerateKey(pki.P256); err != nil {
		return nil, err
	}
	if a.middle.Certificate, err = a.root.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: name + " Intermediate", Key: a.middle.Key.Public(), NotBefore: now}, now); err != nil {
		return nil, err
	}
	a.rsa, err = pki.GenerateKey(pki.RSA2048)
	return a, err
}

// identity issues for an endpoint.
func (a *authority) identity(k kind, name string) (tlsnet.Identity, error) {
	key := a.rsa
	if k != withRSA {
		var err error
		if key, err = pki.GenerateKey(pki.P256); err != nil {
			return tlsnet.Identity{}, err
		}
	}
	left, who := 70*day, name
	switch k {
	case soon:
		left = 20 * day
	case verySoon:
		left = 3 * day
	case over:
		left = -day
	case misnamed:
		who = "elsewhere.test"
	}
	begin := time.Now().Add(left - 90*day)
	leaf, err := a.middle.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{who}, Key: key.Public(), NotBefore: begin, Lifetime: 90 * day}, begin)
	if err != nil {
		return tlsnet.Identity{}, err
	}
	chain := [][]byte{leaf.Raw, a.middle.Certificate.Raw}
	if k == alone {
		chain = chain[:1]
	}
	return tlsnet.Identity{Chain: chain, Key: key, Names: []string{name}}, nil
}

// newFarm starts one server for each kind of the list. Addresses are 127.x.y.z, each with one server. Slow ones pause for so
// long ten times in a flight.
func newFarm(dir string, list []kind, pause time.Duration) (*farm, error) {
	f := &farm{dir: dir, pause: pause}
	ours, err := newAuthority("Farm")
	if err != nil {
		return nil, err
	}
	theirs, err := newAuthority("Strangers")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(f.root(), pki.AppendCertificatePEM(nil, ours.root.Certificate.Raw), 0o600); err != nil {
		return nil, err
	}
	for i, k := range list {
		issuer := ours
		if k == stranger {
			issuer = theirs
		}
		if err := f.add(issuer, i, k); err != nil {
			return nil, errors.Join(fmt.Errorf("endpoint %d, %s: %w", i, k, err), f.close())
		}
	}
	return f, nil
}

func (f *farm) root() string { return filepath.Join(f.dir, "root.pem") }

// add starts the i-th server.
func (f *farm) add(issuer *authority, i int, k kind) error {
	e := endpoint{Name: fmt.Sprintf("host%04d.farm.test", i), Kind: k, Want: wanted(k)}
	host := fmt.Sprintf("127.%d.%d.%d", 16+i/62500, i/250%250, 2+i%250)
	var err error
	switch k {
	case full:
		var c io.Closer
		if e.Address, c, err = deaf(host); err == nil {
			f.closers = append(f.closers, c)
		}
	case closed:
		var l net.Listener
		if l, err = net.Listen("tcp", host+":0"); err == nil { // a port of this address that is free, and stays so: nobody else knows the address
			e.Address = l.Addr().String()
			err = l.Close()
		}
	default:
		var id tlsnet.Identity
		if id, err = issuer.identity(k, e.Name); err == nil {
			e.Address, err = f.serve(host, k, id)
		}
	}
	f.endpoints = append(f.endpoints, e)
	return err
}

// serve is a server with one certificate, which answers every request with 404.
func (f *farm) serve(host string, k kind, id tlsnet.Identity) (string, error) {
	nl, err := net.Listen("tcp", host+":0")
	if err != nil {
		return "", err
	}
	f.closers = append(f.closers, nl)
	config := &tlsnet.Config{Identities: []tlsnet.Identity{id}, Tickets: -1, HandshakeTimeout: time.Minute}
	if k == slow || k == endless {
		nl = &drippingListener{nl, f.pause, k == endless}
	}
	l, err := tlsnet.NewListener(nl, config)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	return nl.Addr().String(), nil
}

// answer serves one connection.
func answer(c *tlsnet.Conn) {
	defer c.Close()
	if c.SetDeadline(time.Now().Add(time.Minute)) != nil || c.Handshake() != nil {
		return
	}
	if n, _ := c.Read(make([]byte, 4096)); n > 0 { // a full scan asks for a page
		io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}
}

// drippingListener is one whose connections write a little at a time.
type drippingListener struct {
	net.Listener
	pause     time.Duration
	isEndless bool
}

// Accept implements net.Listener.
func (l *drippingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &dripping{c, l.pause, l.isEndless}, nil
}

// dripping is a connection that writes a tenth of what it is given, pauses and goes on; or writes five bytes, and then one at a
// time.
type dripping struct {
	net.Conn
	pause     time.Duration
	isEndless bool
}

// Write implements net.Conn.
func (d *dripping) Write(p []byte) (int, error) {
	piece, pause, done := max(1, (len(p)+9)/10), d.pause, 0
	for done < len(p) {
		if d.isEndless && done >= 5 {
			piece, pause = 1, 5*d.pause
		}
		n, err := d.Conn.Write(p[done:min(done+piece, len(p))])
		if done += n; err != nil {
			return done, err
		}
		time.Sleep(pause)
	}
	return done, nil
}

func (f *farm) close() error {
	var failed []error
	for _, c := range f.closers {
		failed = append(failed, c.Close())
	}
	return errors.Join(failed...)
}

// save writes the list of endpoints for another process.
func (f *farm) save() error {
	text, err := json.Marshal(f.endpoints)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, "farm.json"), text, 0o600)
}

// readFarm reads what save wrote; its servers run elsewhere.
func readFarm(dir string) (*farm, error) {
	f := &farm{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, "farm.json"))
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(text, &f.endpoints)
}

// roots are what the monitor trusts.
func (f *farm) roots() ([]*x509.Certificate, error) {
	text, err := os.ReadFile(f.root())
	if err != nil {
		return nil, err
	}
	return pki.ParseCertificatesPEM(text)
}
