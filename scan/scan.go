package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// Scanner scans servers. Its methods may be called by several goroutines at once.
type Scanner struct {
	o     Options
	parts map[wire.CipherSuite]ciphers.Parts // what the names of suites say
	judge *judge                             // of certificates and names
	old   []wire.CipherSuite                 // those before TLS 1.3

	mu     sync.Mutex
	shares map[wire.Group]suite.KeyShare // one key pair a group: a scan has no secrets
	queue  queue                         // before each address

	clients func() ([]*knownClient, error) // read once
}

// ErrNoAddress is what errors.Is finds in the error of Scan where a name has no address that may be used.
var ErrNoAddress = errors.New("no address")

// addressesAtOnce is how many addresses of one name are scanned side by side.
const addressesAtOnce = 4

// New makes a Scanner. It keeps no connection and needs no closing.
func New(o Options) *Scanner {
	s := &Scanner{
		o:       o.filled(),
		parts:   make(map[wire.CipherSuite]ciphers.Parts, 512),
		shares:  make(map[wire.Group]suite.KeyShare),
		clients: sync.OnceValues(knownClients),
	}
	s.judge = newJudge(&s.o)
	for _, p := range ciphers.All() {
		s.parts[p.Suite] = p
	}
	s.old = suites12(s.parts)
	return s
}

// Scan scans the addresses of a target and gives the facts about each, in the order of the look-up. An address that does
// not answer has facts too: they say why. The error is that of the look-up, or wraps ErrNoAddress.
func (s *Scanner) Scan(ctx context.Context, t Target) ([]*grade.Facts, error) {
	addresses, err := s.addresses(ctx, t.Host)
	if err != nil {
		return nil, err
	}
	facts := make([]*grade.Facts, len(addresses))
	slots := make(chan struct{}, addressesAtOnce)
	var wg sync.WaitGroup
	for i, a := range addresses {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			facts[i] = s.scanAddress(ctx, t, a)
		})
	}
	wg.Wait()
	return facts, nil
}

// addresses finds where a host is.
func (s *Scanner) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	all := make([]netip.Addr, 0, 1)
	if a, err := netip.ParseAddr(host); err == nil {
		all = append(all, a)
	} else {
		ctx, cancel := context.WithTimeout(ctx, 2*s.o.Timeout)
		defer cancel()
		if all, err = s.lookUp(ctx, host); err != nil {
			return nil, fmt.Errorf("%s: %w", pki.Printable(host), err)
		}
	}
	usable := make([]netip.Addr, 0, len(all))
	seen := make(map[netip.Addr]bool, len(all))
	for _, a := range all {
		a = a.Unmap()
		if seen[a] || s.o.IPv4 && !s.o.IPv6 && !a.Is4() || s.o.IPv6 && !s.o.IPv4 && a.Is4() {
			continue
		}
		seen[a] = true
		usable = append(usable, a)
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("%s: %w", pki.Printable(host), ErrNoAddress)
	}
	return usable[:min(len(usable), s.o.Addresses)], nil
}

func (s *Scanner) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if s.o.LookUp != nil {
		return s.o.LookUp(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// scanAddress scans one address to the end, or until its time is up.
func (s *Scanner) scanAddress(ctx context.Context, t Target, a netip.Addr) *grade.Facts {
	leave := s.queue.enter(ctx, netip.AddrPortFrom(a, uint16(t.Port)), s.atOnce())
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, s.o.HostTimeout)
	defer cancel()
	h := newHost(s, t, a)
	if s.o.Quick {
		h.runOne(ctx, probe{name: "handshake", run: func(ctx context.Context, h *host) { h.quick(ctx) }})
	} else {
		h.run(ctx, allProbes())
	}
	return h.finished()
}

// share gives the key pair of a group; nil if the group is not one of ours. It is the same for the whole life of the
// scanner: drawing one for every hello would cost more than all else the scanner does.
func (s *Scanner) share(g wire.Group) suite.KeyShare {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.shares[g]; ok {
		return k
	}
	var k suite.KeyShare
	if known := suite.GroupByID(g); known != nil {
		if made, err := known.Generate(); err == nil {
			k = made
		}
	}
	s.shares[g] = k
	return k
}
