package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/tlsnet"
)

// newBase is that of an empty home.
func newBase(t *testing.T) *Base {
	t.Helper()
	return &Base{Home: filepath.Join(t.TempDir(), "home"), Now: time.Now, Actor: "test", Log: slog.New(slog.DiscardHandler)}
}

// mustRead reads a file in which CA, WEB, GATE and DASH stand for ports.
func mustRead(t *testing.T, text string, ports []int) *config.Estate {
	t.Helper()
	for i, name := range []string{"CA", "WEB", "GATE", "DASH"} {
		text = strings.ReplaceAll(text, ":"+name, fmt.Sprintf(":%d", ports[i]))
	}
	c, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runs is an estate that runs until the test ends.
type runs struct {
	t     *testing.T
	e     *Estate
	b     *Base
	ports []int
	over  chan error
	end   context.CancelFunc
}

func run(t *testing.T, text string) *runs {
	t.Helper()
	ports, err := freeport.Numbers(4)
	if err != nil {
		t.Fatal(err)
	}
	r := &runs{t: t, b: newBase(t), ports: ports, over: make(chan error, 1)}
	if r.e, err = Open(t.Context(), r.b, mustRead(t, text, ports), Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	r.end = end
	ready := make(chan struct{})
	go func() { r.over <- r.e.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(end)
	<-ready
	return r
}

// apply takes over another file.
func (r *runs) apply(text string) error {
	return r.e.Apply(r.t.Context(), mustRead(r.t, text, r.ports))
}

// stop ends it, and demands that it ends well.
func (r *runs) stop() {
	r.t.Helper()
	r.end()
	if err := <-r.over; err != nil {
		r.t.Errorf("it did not end well: %v", err)
	}
}

// page is what stands at a port; "": nothing answers.
func (r *runs) page(scheme string, port int, path string) string {
	r.t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	if scheme == "https" {
		roots, err := r.b.Roots()
		if err != nil {
			r.t.Fatal(err)
		}
		secure := &tlsnet.Transport{Config: &tlsnet.Config{Roots: roots}}
		defer secure.CloseIdleConnections()
		client.Transport = secure
	}
	answer, err := client.Get(fmt.Sprintf("%s://localhost:%d%s", scheme, port, path))
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprint(answer.StatusCode, " ", string(text))
}

const (
	caText      = "ca: {listen: \"127.0.0.1:CA\", http: \"127.0.0.1:WEB\", lifetime: 10m}\n"
	gatewayText = "gateway: {listeners: [\"127.0.0.1:GATE\"], sites: {app: {hosts: [localhost], target: welcome}}}\n"
	monitorText = "monitor: {dashboard: \"127.0.0.1:DASH\", every: 1h, grade: none, targets: [{files: none.pem}]}\n"
)

// TestCertificatesAreOfTheSameEstate: the gateway's certificate lives as the CA's section says, and names what that CA serves.
func TestCertificatesAreOfTheSameEstate(t *testing.T) {
	r := run(t, caText+gatewayText)
	defer r.stop()
	c, err := tlsnet.Dial(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.ports[2]), &tlsnet.Config{ServerName: "localhost", Roots: must(r.b.Roots())})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	leaf := c.Peer().Leaf
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 10*time.Minute {
		t.Errorf("the certificate lives %v", life)
	}
	if want := fmt.Sprintf("http://127.0.0.1:%d/", r.ports[1]); len(leaf.OCSPServer) != 1 || !strings.HasPrefix(leaf.OCSPServer[0], want) || len(leaf.CRLDistributionPoints) != 1 {
		t.Errorf("OCSP %q, CRL %q, not below %s", leaf.OCSPServer, leaf.CRLDistributionPoints, want)
	}
}

func must(roots []*x509.Certificate, err error) []*x509.Certificate {
	if err != nil {
		panic(err)
	}
	return roots
}

// TestPartsComeAndGo: each section may come, change and go while the others go on.
func TestPartsComeAndGo(t *testing.T) {
	r := run(t, gatewayText)
	defer r.stop()
	is := func(what string, hasCA, hasGateway, hasPages bool) {
		t.Helper()
		got := []bool{r.page("http", r.ports[1], "/roots.pem") != "", strings.HasPrefix(r.page("https", r.ports[2], "/"), "200"), r.page("http", r.ports[3], "/") != ""}
		if got[0] != hasCA || got[1] != hasGateway || got[2] != hasPages {
			t.Errorf("%s: CA, gateway and pages are %v", what, got)
		}
	}
	is("at first", false, true, false)
	for _, step := range []struct {
		what, text                  string
		hasCA, hasGateway, hasPages bool
	}{
		{"a monitor more", gatewayText + monitorText, false, true, true},
		{"a CA more", caText + gatewayText + monitorText, true, true, true},
		{"no gateway", caText + monitorText, true, false, true},
		{"all", caText + gatewayText + monitorText, true, true, true},
		{"no CA", gatewayText + monitorText, false, true, true},
		{"no pages", gatewayText + strings.Replace(monitorText, "dashboard: \"127.0.0.1:DASH\", ", "", 1), false, true, false},
	} {
		if err := r.apply(step.text); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		is(step.what, step.hasCA, step.hasGateway, step.hasPages)
	}
}

// TestAChangeIsWhole: where one part cannot have what the file says, the others are as they were, too.
func TestAChangeIsWhole(t *testing.T) {
	r := run(t, caText+gatewayText+monitorText)
	defer r.stop()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	all := caText + gatewayText + monitorText
	other := strings.NewReplacer("127.0.0.1:DASH", taken.Addr().String(), "target: welcome", "target: 204", "lifetime: 10m", "lifetime: 20m").Replace(all)
	var part *PartError
	if err := r.apply(other); !errors.As(err, &part) || part.Part != "monitor" {
		t.Fatalf("a port that is taken: %v", err)
	}
	if page := r.page("https", r.ports[2], "/"); !strings.HasPrefix(page, "200") {
		t.Errorf("the gateway is not as it was: %s", page)
	}
	if page := r.page("http", r.ports[3], "/"); page == "" {
		t.Error("the dashboard is gone")
	}
	if life := r.e.b.whole.lifetime(); life != 10*time.Minute {
		t.Errorf("the lifetime is not as it was: %v", life)
	}
	// What is wrong by itself is found before anything is touched.
	for _, wrong := range []string{strings.Replace(all, "target: welcome", "target: welcome, certificate: {chain: none.pem, key: none.key}", 1), caText + "monitor: {targets: [\"no port\"]}\n"} {
		if err := r.apply(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	if err := r.apply(strings.Replace(other, taken.Addr().String(), "127.0.0.1:DASH", 1)); err != nil {
		t.Fatal(err)
	}
	if page := r.page("https", r.ports[2], "/"); !strings.HasPrefix(page, "204") {
		t.Errorf("the right file has no effect: %s", page)
	}
}

// TestAChangeThatIsTakenBackLeavesNoTrace: a monitor that was opened anew meanwhile watches where things are again.
func TestAChangeThatIsTakenBackLeavesNoTrace(t *testing.T) {
	r := run(t, caText+monitorText)
	defer r.stop()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := r.apply(strings.NewReplacer("127.0.0.1:CA", "127.0.0.1:0", "127.0.0.1:DASH", taken.Addr().String()).Replace(caText + monitorText)); err == nil {
		t.Fatal("a port that is taken was had")
	}
	m, ok := r.e.find("monitor").(*Monitor)
	if !ok {
		t.Fatal("the monitor is gone")
	}
	list, _, err := m.History.Targets(t.Context(), history.TargetQuery{Text: "own: CA"})
	if err != nil || len(list) != 1 || !strings.Contains(string(list[0].Spec), fmt.Sprintf("127.0.0.1:%d", r.ports[0])) {
		t.Errorf("the monitor watches %+v (%v), and the CA is at port %d", list, err, r.ports[0])
	}
}

// TestPortsAreFreeAtOnce: what has moved can move back in the same breath, as a change does that is taken back.
func TestPortsAreFreeAtOnce(t *testing.T) {
	r := run(t, caText+gatewayText)
	defer r.stop()
	others, err := freeport.Numbers(4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		ports := [][]int{others, r.ports}[i%2]
		if err := r.e.Apply(t.Context(), mustRead(t, caText+gatewayText, ports)); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
}

// TestTheSameFileIsReadAgain: a log that was moved away is opened again, as SIGHUP asks for it.
func TestTheSameFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	text := strings.Replace(gatewayText, "gateway: {", fmt.Sprintf("gateway: {access-log: %q, ", file), 1)
	r := run(t, text)
	defer r.stop()
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := r.apply(text); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the log was not opened again: %v", err)
	}
}

// TestTheMonitorLearnsOfACA: pages about what a CA has issued are there as soon as the file names one.
func TestTheMonitorLearnsOfACA(t *testing.T) {
	r := run(t, gatewayText+monitorText)
	defer r.stop()
	for _, step := range []struct{ what, text, status string }{
		{"no inventory", gatewayText + monitorText, "404"},
		{"an inventory", gatewayText + strings.Replace(monitorText, "monitor: {", "monitor: {inventory: [own], ", 1), "200"},
	} {
		if err := r.apply(step.text); err != nil {
			t.Fatal(err)
		}
		if page := r.page("http", r.ports[3], "/inventory"); !strings.HasPrefix(page, step.status) {
			t.Errorf("%s: %.60s", step.what, page)
		}
	}
}

// TestOneEstateInAHome: a second one is refused, and one after it is not.
func TestOneEstateInAHome(t *testing.T) {
	r := run(t, gatewayText)
	other := strings.Replace(gatewayText, ":GATE", ":0", 1)
	var problem *Problem
	if _, err := Open(t.Context(), r.b, mustRead(t, other, r.ports), Options{}); !errors.As(err, &problem) || problem.Advice == "" {
		t.Errorf("a second one: %v", err)
	}
	r.stop()
	e, err := Open(t.Context(), r.b, mustRead(t, other, r.ports), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
}

// TestOpeningLeavesNothing: where one part cannot be opened, those before it let go of their ports.
func TestOpeningLeavesNothing(t *testing.T) {
	ports, err := freeport.Numbers(4)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[3]))
	if err != nil {
		t.Fatal(err)
	}
	b := newBase(t)
	c := mustRead(t, caText+gatewayText+monitorText, ports)
	if _, err := Open(t.Context(), b, c, Options{}); err == nil {
		t.Fatal("a port that is taken was had")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), b, c, Options{})
	if err != nil {
		t.Fatalf("something was left behind: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// stubborn is a part that ends as it is told.
type stubborn struct {
	part
	ends chan error
}

func (s *stubborn) name() string { return "gateway" }
func (s *stubborn) close() error { return nil }
func (s *stubborn) run(ctx context.Context) error {
	select {
	case err := <-s.ends:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestAPartThatFailsEndsAll, and one that is told to end does not.
func TestAPartThatFailsEndsAll(t *testing.T) {
	broken := errors.New("broken")
	for _, end := range []error{broken, nil} {
		s := &stubborn{ends: make(chan error, 1)}
		e := &Estate{b: newBase(t), parts: []*running{{part: s, done: make(chan struct{})}}, failed: make(chan error, 1), unlock: func() error { return nil }}
		s.ends <- end
		var part *PartError
		if err := e.Run(t.Context(), nil); !errors.As(err, &part) || part.Part != "gateway" || end != nil && !errors.Is(err, end) {
			t.Errorf("it ended with %v, and the estate with %v", end, err)
		}
	}
	s := &stubborn{ends: make(chan error)}
	e := &Estate{b: newBase(t), parts: []*running{{part: s, done: make(chan struct{})}}, failed: make(chan error, 1), unlock: func() error { return nil }}
	ctx, end := context.WithCancel(t.Context())
	if err := e.Run(ctx, end); err != nil {
		t.Errorf("told to end: %v", err)
	}
}

// TestOwnTargets: what a file serves over TLS is watched, under a name that it answers to.
func TestOwnTargets(t *testing.T) {
	b := newBase(t)
	c, err := Read([]byte(`
ca: {listen: "0.0.0.0:9443", http: "127.0.0.1:9080"}
gateway:
  listeners:
    - 127.0.0.1:8443
    - "[::1]:8444"
    - 127.0.0.1:0
    - unix:here.sock
    - {address: 127.0.0.1:8080, protocol: http}
    - {address: 127.0.0.1:8445, protocol: tls}
  sites:
    app: {hosts: ["*.corp.example", 127.0.0.1, www.corp.example], target: welcome}
    wild: {hosts: ["*.wild.example"], target: 404}
    any: {target: 404}
    raw: {hosts: ["::1"], target: "tcp://127.0.0.1:1"}
monitor: {}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, w := range OwnTargets(b, c) {
		got[w.Name] = w.Address + " " + w.ServerName
		if len(w.CA) != 1 || w.CA[0] != b.RootPath() || !w.System {
			t.Errorf("%s is judged by %v", w.Name, w.CA)
		}
	}
	want := map[string]string{
		"own: CA":          "127.0.0.1:9443 ",
		"own: site app":    "127.0.0.1:8443 www.corp.example",
		"own: site app #2": "[::1]:8444 www.corp.example",
		"own: site wild":   "127.0.0.1:8443 any.wild.example", "own: site wild #2": "[::1]:8444 any.wild.example",
		"own: site any": "127.0.0.1:8443 localhost", "own: site any #2": "[::1]:8444 localhost",
		"own: site raw": "127.0.0.1:8445 ::1",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\nnot\n%v", got, want)
	}
	c.Monitor.NotOwn = true
	if list := OwnTargets(b, c); len(list) > 0 {
		t.Errorf("own: false, and yet %v", list)
	}
}

// TestWatch: a change is seen, be it written in place, put in its place, or behind a link.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "link.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		Watch(ctx, file, func() {
			text, _ := os.ReadFile(file)
			seen <- string(text)
		})
	}()
	defer func() { cancel(); <-over }()
	for i, change := range []func(text string){
		func(text string) { write("link.yaml", text) }, // it was not there before
		func(text string) { write("link.yaml", text) },
		func(text string) {
			write("next", text)
			if err := os.Rename(filepath.Join(dir, "next"), file); err != nil {
				t.Fatal(err)
			}
		},
		func(text string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			write("behind", text)
			if err := os.Symlink("behind", file); err != nil {
				t.Fatal(err)
			}
		},
		func(text string) { write("behind", text) },
	} {
		text := strings.Repeat("x", i+1)
		change(text)
		for limit := time.After(time.Minute); ; {
			var got string
			select {
			case got = <-seen:
			case <-limit:
				t.Fatalf("change %d was not seen", i)
			}
			if got == text {
				break
			}
		}
	}
}

// TestTheSampleIsRight: it can be read, all of it counts, and it says nothing of this machine.
func TestTheSampleIsRight(t *testing.T) {
	c, err := Read([]byte(Sample()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), newBase(t), c); err != nil {
		t.Error(err)
	}
	if len(c.Sections()) != 3 {
		t.Errorf("sections %v", c.Sections())
	}
	for _, at := range []string{c.CA.Listen, c.CA.HTTP, c.Gateway.Listeners[0].Address, c.Monitor.Dashboard.Listen} {
		if !config.IsLoopback(at) {
			t.Errorf("%s can be reached by others", at)
		}
	}
	// What is taken out by a comment is right, too, once it is put in.
	for _, line := range strings.Split(Sample(), "\n") {
		if option, ok := strings.CutPrefix(line, "  # lifetime:"); ok {
			if _, err := Read([]byte(strings.Replace(Sample(), line, "  lifetime:"+option, 1))); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestACAKeepsItsRights: a gateway that is to become another user takes no CA along.
func TestACAKeepsItsRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := user.Lookup("nobody"); err != nil {
		t.Skip(err)
	}
	with := strings.Replace(gatewayText, "gateway: {", "gateway: {user: nobody, ", 1)
	for text, isRight := range map[string]bool{caText + with: false, caText + gatewayText: true, with: true} {
		var problem *Problem
		err := checkUser(mustRead(t, text, []int{1, 2, 3, 4}))
		if (err == nil) != isRight || err != nil && (!errors.As(err, &problem) || problem.Key != "user" || problem.Advice == "") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCheckBeforeThereIsACA: clients of the own CA are no error in a file that makes one.
func TestCheckBeforeThereIsACA(t *testing.T) {
	b := newBase(t)
	text := "gateway: {listeners: [\"127.0.0.1:0\"], sites: {app: {target: welcome, clients: {mode: require, ca: own, allow: verified}}}}\n"
	for prefix, isRight := range map[string]bool{"ca: {listen: \"127.0.0.1:0\", http: \"127.0.0.1:0\"}\n": true, "": false} {
		c, err := Read([]byte(prefix + text))
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(t.Context(), b, c); (err == nil) != isRight {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	proven := strings.Replace(text, "target: welcome, ", "target: welcome, hosts: [a.test], certificate: {acme: own}, ", 1)
	c, err := Read([]byte("ca: {listen: \"127.0.0.1:0\", http: \"127.0.0.1:0\"}\n" + proven))
	if err == nil {
		err = Check(t.Context(), b, c)
	}
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.Home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("checking made folders: %v", err)
	}
	if _, err := keystore.ReadCA(b.Home); !errors.Is(err, keystore.ErrNoCA) {
		t.Errorf("checking made a CA: %v", err)
	}
}
