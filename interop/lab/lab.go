package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/tlswright/tlswright/internal/freeport"
)

// Ring says which run a server belongs to.
type Ring int

// The rings: CI runs few servers in a minute, "make accept" all of them.
const (
	RingCI Ring = iota
	RingAccept
)

// Config is one server configuration.
type Config struct {
	Name       string   // "nginx: DHE-1024"
	Identities []string // names of its certificates, see plans; empty: it has none of the lab's
	StartTLS   string   // protocol of the upgrade; empty: TLS from the first byte
	Staple     string   // status of the OCSP response that it staples; empty: none
	Grade      string   // by the SSL Labs guide, where somebody has worked it out
	// Wrong are the identifiers of vulnerabilities that it really has, apart from those that follow from versions and suites.
	Wrong []string
	// Old says that it speaks what OpenSSL's library does not any more, so that Java is asked as well.
	Old bool
	// GOST says that OpenSSL's library must be asked with the GOST engine.
	GOST bool
	// GnuTLS says that gnutls-cli is asked for the suites that it alone knows.
	GnuTLS bool
	// PSK says that it knows the key 1a2b of any name.
	PSK bool
	// Hybrid says that it is asked for ML-KEM groups, which OpenSSL's library here does not know.
	Hybrid bool
	// Ring is the smallest run that it takes part in.
	Ring Ring
	// Port is where it listens, once it is up.
	Port int

	// testssl says what testssl.sh is asked about it, which takes a minute or two: "certificate", "suites"; empty: nothing.
	testssl string

	addresses int // further ones of loopback on which it listens, with the same port

	text string // what is special in its configuration; its launcher knows how to read it
	more []string
}

// Addr is where it listens.
func (c *Config) Addr() string { return fmt.Sprintf("127.0.0.1:%d", c.Port) }

// Group is a program with the configurations that it serves at once, each on a port of its own.
type Group struct {
	Program   string // that must be installed
	NeedsRoot bool
	Configs   []*Config

	all   []*Config // those that it has ports for, also where not all are asked for
	start func(l *Lab, g *Group) (stopper, error)
	ports []int  // of all
	dir   string // of the program, once it was started
}

// asked are the ports of the configurations that are asked for.
func (g *Group) asked() []int {
	var ports []int
	for _, c := range g.Configs {
		ports = append(ports, c.Port)
	}
	return ports
}

// Missing says why the group cannot be started here; nil if it can.
func (g *Group) Missing() error {
	if _, err := findProgram(g.Program); err != nil {
		return err
	}
	if g.NeedsRoot && os.Getuid() != 0 {
		return fmt.Errorf("%s must be started by root", g.Program)
	}
	return nil
}

// Lab holds the certificates and a folder for each program.
type Lab struct {
	Dir  string // everybody may read it, for daemons give up root
	Root string // PEM file of the root that clients trust

	ctx    context.Context
	mu     sync.Mutex
	pki    *pki
	folder int
}

// New makes a lab in a folder, which is the caller's to remove.
func New(ctx context.Context, dir string) (*Lab, error) {
	for at := dir; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			return nil, err
		}
	}
	p, err := newPKI(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Lab{Dir: dir, Root: p.root, ctx: ctx, pki: p}, nil
}

// Identity makes a certificate, or finds it made.
func (l *Lab) Identity(name string) (*Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pki.identity(name)
}

// identities are those of a configuration.
func (l *Lab) identities(c *Config) ([]*Identity, error) {
	var all []*Identity
	for _, name := range c.Identities {
		id, err := l.Identity(name)
		if err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, nil
}

// Defects are those of all certificates of a configuration, sorted.
func (l *Lab) Defects(c *Config) []string {
	var all []string
	for _, name := range c.Identities {
		all = append(all, plans()[name].defects...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// place makes a folder for a program, which everybody may read.
func (l *Lab) place(name string) (string, error) {
	l.mu.Lock()
	l.folder++
	dir := filepath.Join(l.Dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), l.folder))
	l.mu.Unlock()
	return dir, os.Mkdir(dir, 0o755)
}

// Start starts a program with the configurations that it is left with, and returns what stops it. A port that was free may
// be taken by the time that the program wants it, so it is tried again.
func (l *Lab) Start(g *Group) (stop func(), err error) {
	var said []error
	for range 3 {
		if g.all == nil {
			g.all = g.Configs
		}
		ports, err := freeport.Numbers(len(g.all))
		if err != nil {
			return nil, err
		}
		for i, c := range g.all {
			c.Port = ports[i]
		}
		g.ports = ports
		p, err := g.start(l, g)
		if err == nil {
			return p.stop, nil
		}
		said = append(said, err)
		if !strings.Contains(strings.ToLower(err.Error()), "in use") {
			break
		}
	}
	return nil, errors.Join(said...)
}

// write puts a file into a folder.
func write(dir, name, text string) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(text), 0o644)
}
