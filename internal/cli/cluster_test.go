//go:build unix

package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/store"
)

// cluster is one CA, served by processes that are killed again and again, and clients that want certificates of it.
type cluster struct {
	t        *testing.T
	nodes    []*clusterNode
	balancer *roundRobin
	proofs   sync.Map
	answers  atomic.Int64 // that clients got

	mu        sync.Mutex
	issued    map[string]*x509.Certificate // by serial number
	leftovers []placed                     // orders that clients will come back to
	invalid   int
	cut       int // precertificates of which a kill left no certificate
}

// clusterNode is `tlswright ca serve`, always at the same address.
type clusterNode struct {
	home    string
	address string
	args    []string
	log     *os.File
	cmd     *exec.Cmd
	starts  int
}

// clusterURL is how clients see all nodes.
const clusterURL = "https://ca.cluster.test"

// newCluster makes a CA and starts nodes that serve it, with more arguments; database is the address that they share, "": a
// file.
func newCluster(t *testing.T, nodes int, database string, more ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, balancer: &roundRobin{}, issued: make(map[string]*x509.Certificate)}
	proofs := httptest.NewServer(proofServer(&c.proofs))
	t.Cleanup(proofs.Close)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	names := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(everythingIsHere), NotifyStartedFunc: func() { close(ready) }}
	go func() { _ = names.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = names.Shutdown() })
	first := filepath.Join(t.TempDir(), "home")
	ca, err := keystore.CreateCA(first, keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Root)
	_, proofPort, _ := net.SplitHostPort(proofs.Listener.Addr().String())
	for i := range nodes {
		n := &clusterNode{home: first, address: nodeAddress(t)}
		if i > 0 {
			n.home = filepath.Join(t.TempDir(), "home")
			if err := copyPrivately(n.home, first); err != nil {
				t.Fatal(err)
			}
		}
		if n.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
			t.Fatal(err)
		}
		n.args = []string{"ca", "serve", "--listen", n.address, "--http", "", "--url", clusterURL, "--name", "ca.cluster.test", "--allow-network", "127.0.0.0/8",
			"--resolver", pc.LocalAddr().String(), "--http01-port", proofPort, "--no-caa", "--quiet"}
		n.args = append(n.args, more...)
		if database != "" {
			n.args = append(n.args, "--database", database)
		}
		c.nodes = append(c.nodes, n)
		c.balancer.nodes = append(c.balancer.nodes, &http.Transport{MaxIdleConnsPerHost: 32, TLSClientConfig: &tls.Config{RootCAs: roots},
			ResponseHeaderTimeout: 20 * time.Second,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", n.address)
			}})
	}
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() { c.start(n) })
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, n := range c.nodes {
			c.kill(n)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// copyPrivately copies the folder of a CA as `cp -p` does.
func copyPrivately(to, from string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), info.Mode().Perm())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, info.Mode().Perm())
	})
}

// nodeAddress is one that stays free while its node is dead: connections that go out get no port of this kind.
func nodeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// start runs a node and waits until it can be connected to.
func (c *cluster) start(n *clusterNode) {
	self, err := os.Executable()
	if err != nil {
		c.t.Error(err)
		return
	}
	n.starts++
	n.cmd = exec.Command(self)
	n.cmd.Args = append([]string{"tlswright"}, n.args...) // the name by which the test binary is the command: see TestMain
	n.cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+n.home)
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		c.t.Error(err)
		return
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", n.address); err == nil {
			_ = conn.Close()
			return
		}
	}
	text, _ := os.ReadFile(n.log.Name())
	c.t.Errorf("a node does not start:\n%s", text)
}

// kill ends a node with SIGKILL.
func (c *cluster) kill(n *clusterNode) {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// besiege has clients order certificates, as many at a time as there are workers, while attack runs.
func (c *cluster) besiege(workers int, attack func()) {
	ctx, stop := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			client, err := newSteadfast(ctx, c.balancer, clusterURL, &c.proofs, &c.answers)
			if err != nil {
				if ctx.Err() == nil { // otherwise all is over before it could begin
					c.t.Error(err)
				}
				return
			}
			for i := 0; ctx.Err() == nil; i++ {
				c.want(ctx, client, fmt.Sprintf("n%d-%d.flow.test", w, i))
			}
		})
	}
	attack()
	stop()
	wg.Wait()
}

// want gets a certificate, or leaves the order for later.
func (c *cluster) want(ctx context.Context, client *steadfast, name string) {
	patience, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	p, err := client.place(patience, name)
	if err != nil {
		if patience.Err() == nil {
			c.t.Error(err)
		}
		return
	}
	c.keep(p.pursue(patience))(p)
}

// keep notes what became of an order.
func (c *cluster) keep(leaf *x509.Certificate, err error) func(placed) {
	return func(p placed) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case errors.Is(err, errStalled), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			c.leftovers = append(c.leftovers, p)
		case err != nil:
			c.invalid++
			c.t.Errorf("%s: %v", p.name, err)
		case c.issued[authority.SerialText(leaf.SerialNumber)] != nil:
			c.t.Errorf("serial number %x was handed out twice", leaf.SerialNumber)
		default:
			c.issued[authority.SerialText(leaf.SerialNumber)] = leaf
		}
	}
}

// comeBack has clients return to the orders that they left, until each has its certificate.
func (c *cluster) comeBack(patience time.Duration) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	left := c.leftovers
	c.leftovers = nil
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, p := range left {
		wg.Go(func() {
			for { // many wait for a lease to end: each looks now and then
				slots <- struct{}{}
				look, done := context.WithTimeout(ctx, time.Second)
				leaf, err := p.pursue(look)
				done()
				<-slots
				if ctx.Err() != nil || !errors.Is(err, errStalled) && !errors.Is(err, context.DeadlineExceeded) {
					c.keep(leaf, err)(p)
					return
				}
			}
		})
	}
	wg.Wait()
	c.t.Logf("%d orders were taken up again by their clients, %d of them stayed without an end", len(left), len(c.leftovers))
}

// certificates is how many clients have got.
func (c *cluster) certificates() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.issued)
}

// waitFor waits until clients have n more certificates.
func (c *cluster) waitFor(n int) {
	n += c.certificates()
	for deadline := time.Now().Add(time.Minute); c.certificates() < n; time.Sleep(5 * time.Millisecond) {
		if c.t.Failed() || time.Now().After(deadline) {
			for _, node := range c.nodes {
				text, _ := os.ReadFile(node.log.Name())
				c.t.Logf("%s", text[:min(len(text), 2000)])
			}
			c.t.Fatalf("%d certificates, not %d", c.certificates(), n)
		}
	}
}

// autopsy ends all nodes and compares what is on file with what clients have got.
func (c *cluster) autopsy(database string) {
	for _, n := range c.nodes {
		c.kill(n)
	}
	var a *authority.Authority
	onFile := make(map[string]store.Certificate)
	for open := 1; open > 0; { // the database may take a moment to notice the end of the last ones
		var err error
		if a, err = authority.OpenHome(context.Background(), c.nodes[0].home, authority.HomeOptions{Database: database}); err != nil {
			c.t.Fatal(err)
		}
		open = 0
		clear(onFile)
		for r, err := range a.Search(context.Background(), authority.Query{}) {
			if err != nil {
				c.t.Fatal(err)
			}
			if _, twice := onFile[authority.SerialText(serialOf(r.Serial))]; twice {
				c.t.Errorf("serial number %x is on file twice", r.Serial)
			}
			onFile[authority.SerialText(serialOf(r.Serial))] = r
			if r.State == store.StateReserved {
				open++
			}
		}
		if open > 0 {
			_ = a.Close()
		}
	}
	defer func() { _ = a.Close() }()
	c.compare(a, onFile)
	if _, err := a.VerifyAudit(context.Background()); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) compare(a *authority.Authority, onFile map[string]store.Certificate) {
	for serial, leaf := range c.issued {
		if r, ok := onFile[serial]; !ok || r.State != store.StateIssued || string(r.DER) != string(leaf.Raw) {
			c.t.Errorf("serial number %s was handed out, and on file is %v", serial, r.State)
		}
	}
	issued, lost, unclaimed := 0, 0, 0
	for serial, r := range onFile {
		switch {
		case r.State == store.StateLost:
			lost++
		case r.State != store.StateIssued:
			c.t.Errorf("serial number %s is %v (%s)", serial, r.State, r.Reason)
		case len(r.Names) != 1 || !strings.HasSuffix(r.Names[0], ".flow.test"):
		case isPrecertificate(r.DER):
			c.cut++
		default:
			issued++
			o, err := a.Store.ACMEOrderOf(context.Background(), serial)
			if err != nil || o.Status != "valid" {
				c.t.Errorf("the certificate %s has no order: %+v, %v", serial, o, err)
			}
			if c.issued[serial] == nil {
				unclaimed++ // its client had gone by then
			}
		}
	}
	starts := 0
	for _, n := range c.nodes {
		starts += n.starts
	}
	c.t.Logf("%d starts, %d answers; %d certificates handed out, %d more issued that nobody fetched, %d serial numbers lost; %d orders failed, %d left",
		starts, c.answers.Load(), len(c.issued), unclaimed, lost, c.invalid, len(c.leftovers))
	if len(c.issued) == 0 || unclaimed > len(c.leftovers) {
		c.t.Errorf("%d certificates nobody has, %d orders were left", unclaimed, len(c.leftovers))
	}
}

// TestANodeMayDie kills one of three nodes on one PostgreSQL under load, and starts it again.
func TestANodeMayDie(t *testing.T) {
	database := pkitest.Postgres(t, false)
	c := newCluster(t, 3, database)
	c.besiege(16, func() {
		c.waitFor(20)
		c.kill(c.nodes[0])
		c.waitFor(30)
		c.start(c.nodes[0])
		c.waitFor(20)
	})
	c.autopsy(database)
}

// TestAServerMayDie kills a single node on SQLite at five moments.
func TestAServerMayDie(t *testing.T) {
	c := newCluster(t, 1, "")
	c.besiege(8, func() { c.killAtMoments(5) })
	c.autopsy("")
}

// killAtMoments kills the one node after some answers, which may be in the midst of anything, and starts it again.
func (c *cluster) killAtMoments(moments int) {
	random := rand.New(rand.NewPCG(7, uint64(moments)))
	for moment := range moments {
		c.waitFor(1)
		until := c.answers.Load() + random.Int64N(40)
		for deadline := time.Now().Add(time.Minute); c.answers.Load() < until && time.Now().Before(deadline); {
			time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		}
		c.kill(c.nodes[0])
		c.start(c.nodes[0])
		if c.t.Failed() {
			c.t.Fatalf("at moment %d", moment)
		}
	}
	c.waitFor(8)
}

func TestAcceptThreeNodes(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("it takes minutes: make accept")
	}
	database := pkitest.Postgres(t, true)
	c := newCluster(t, 3, database)
	const kills = 9
	begin := time.Now()
	c.besiege(16, func() {
		for i := range kills {
			time.Sleep(10 * time.Second)
			n := c.nodes[i%len(c.nodes)]
			c.kill(n)
			time.Sleep(time.Second)
			c.start(n)
		}
		c.waitFor(50)
	})
	t.Logf("%d kills, %d certificates in %v", kills, c.certificates(), time.Since(begin).Round(time.Second))
	c.comeBack(3 * time.Minute)
	if len(c.leftovers) > 0 || c.invalid > 0 {
		t.Errorf("%d orders without an end, %d failed", len(c.leftovers), c.invalid)
	}
	c.autopsy(database)
}

func TestAcceptKilledServer(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("200 kills take minutes: make accept")
	}
	c := newCluster(t, 1, "")
	c.besiege(8, func() { c.killAtMoments(200) })
	c.comeBack(3 * time.Minute)
	if len(c.leftovers) > 0 || c.invalid > 0 {
		t.Errorf("%d orders without an end, %d failed", len(c.leftovers), c.invalid)
	}
	c.autopsy("")
}
