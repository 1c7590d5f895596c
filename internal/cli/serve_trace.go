package cli

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// Bounds on what `serve --trace` keeps in memory.
const (
	maxServeTaps     = 512      // connections that are recorded at the same time
	maxServeRecorded = 96 << 10 // bytes of one connection: a handshake with long chains has room in it
	maxServeData     = 8        // records under application keys: tickets, and alerts about client certificates
)

// serveTraceFlags are the flags by which `serve` records handshakes.
type serveTraceFlags struct {
	dir     string
	keep    int
	secrets bool
}

func (t *serveTraceFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.dir, "trace", "", "keep recordings of the last handshakes in `DIR`, failed ones longest (see tlswright trace)")
	f.IntVar(&t.keep, "trace-keep", 50, "with --trace: how many recordings are kept, as a `NUMBER`")
	f.BoolVar(&t.secrets, "trace-secrets", false, "with --trace, on loopback only: let the recordings hold keys and contents")
	_ = cmd.MarkFlagDirname("trace")
}

// serveTrace records the handshakes of a server. A nil serveTrace records nothing.
type serveTrace struct {
	app   *app
	flags serveTraceFlags

	mu      sync.Mutex
	client  string               // address of the connection that is being accepted
	server  string               // ours of that connection
	last    *serveTap            // its tap; nil: it is not recorded
	taps    map[string]*serveTap // by address of the client
	number  int                  // of connections that are recorded, in the order in which they came
	problem error                // the first that kept a recording from the disk
	writing sync.WaitGroup       // recordings on their way to the disk
}

// newServeTrace reads the flags; nil: nothing is to be recorded.
func (a *app) newServeTrace(cmd *cobra.Command, o *serveFlags) (*serveTrace, error) {
	t := o.traceFlags
	switch {
	case t.dir == "" && (t.secrets || cmd.Flags().Changed("trace-keep")):
		return nil, usagef(cmd, "--trace-keep and --trace-secrets belong to --trace")
	case t.dir == "":
		return nil, nil
	case t.keep < 1 || t.keep > 10_000:
		return nil, usagef(cmd, "--trace-keep %d: from 1 to 10000 recordings can be kept", t.keep)
	case t.secrets && !isLoopback(o.listen):
		f := usagef(cmd, "--trace-secrets is for learning, on loopback: %s can be reached by others, whose secrets these would be", o.listen)
		f.hint = "listen on 127.0.0.1, or leave --trace-secrets out: recordings tell enough without"
		return nil, f
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return nil, cannotRun(err, "--trace")
	}
	if t.secrets {
		a.ui.warnf("--trace-secrets: the recordings in %s hold the keys and contents of all connections; whoever has them can read these", t.dir)
	}
	return &serveTrace{app: a, flags: t, taps: map[string]*serveTap{}}, nil
}

// isLoopback reports whether an address that is listened on can be reached from this machine only.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// listen is tlsnet.Listen, with the connections recorded.
func (s *serveTrace) listen(addr string, config *tlsnet.Config) (*tlsnet.Listener, error) {
	if s == nil {
		return tlsnet.Listen("tcp", addr, config)
	}
	config.Observer = s.observer
	config.Secrets = s.secrets
	nl, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	l, err := tlsnet.NewListener(&tappedListener{nl, s}, config)
	if err != nil {
		nl.Close()
	}
	return l, err
}

// tappedListener says whose connection comes next, and notices the end of each.
type tappedListener struct {
	net.Listener
	trace *serveTrace
}

// Accept implements net.Listener. The machine of the connection is made by the goroutine that accepts, before it accepts
// the next one: that is how connection and observer find each other.
func (l *tappedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	client := nc.RemoteAddr().String()
	l.trace.mu.Lock()
	l.trace.client, l.trace.server = client, nc.LocalAddr().String()
	l.trace.mu.Unlock()
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc, nil
	}
	return &tappedConn{tcp, func() { l.trace.ended(client) }}, nil
}

type tappedConn struct {
	*net.TCPConn
	ended func()
}

// Close implements net.Conn.
func (c *tappedConn) Close() error {
	err := c.TCPConn.Close()
	c.ended()
	return err
}

// serveTap passes the handshake of one connection on to a recorder, and little of what comes behind it.
type serveTap struct {
	number   int
	mu       sync.Mutex
	recorder *trace.Recorder
	size     int
	data     int // records under application keys
	isFull   bool
}

// Observe implements tlscore.Observer.
func (t *serveTap) Observe(o tlscore.Observation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := o.(tlscore.RecordObserved); ok && !t.isFull {
		if t.size += len(r.Raw); r.Epoch == tlscore.EpochApplication {
			t.data++
		}
		t.isFull = t.size > maxServeRecorded || t.data > maxServeData
	}
	if !t.isFull {
		t.recorder.Observe(o)
	}
}

// capture is what was recorded.
func (t *serveTap) capture() *trace.Capture {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.recorder.Capture()
	if t.isFull && c.Cut == "" {
		c.Cut = "a server keeps the handshake, and the first records behind it"
	}
	return c
}

func (s *serveTrace) observer() tlscore.Observer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
	if len(s.taps) >= maxServeTaps {
		return nil
	}
	s.number++
	s.last = &serveTap{number: s.number, recorder: trace.NewRecorder(trace.Server, trace.Endpoint{Address: s.client}, trace.Endpoint{Address: s.server}, s.app.now)}
	s.taps[s.client] = s.last
	return s.last
}

// secrets takes the key schedule in any case: without it nobody could tell what was refused. It is not written without
// --trace-secrets.
func (s *serveTrace) secrets() tlscore.Secrets {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil
	}
	return s.last.recorder
}

// fail says how the connection of a client ended.
func (s *serveTrace) fail(client net.Addr, err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.taps[client.String()]; t != nil {
		t.recorder.Fail(err)
	}
}

// ended writes the recording of a connection that is over.
func (s *serveTrace) ended(client string) {
	s.mu.Lock()
	t := s.taps[client]
	delete(s.taps, client)
	if t != nil {
		s.writing.Add(1) // under the lock, by which close knows of it
	}
	s.mu.Unlock()
	if t != nil {
		defer s.writing.Done()
		s.write(client, t)
	}
}

// close writes what is left, waits for what is being written, and returns the first problem with writing.
func (s *serveTrace) close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	rest := s.taps
	s.taps = map[string]*serveTap{}
	s.mu.Unlock()
	for client, t := range rest {
		s.write(client, t)
	}
	s.writing.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem != nil {
		return cannotRun(s.problem, "--trace")
	}
	return nil
}

// write decodes a capture and puts it into the folder.
func (s *serveTrace) write(client string, t *serveTap) {
	c := t.capture()
	if len(c.Segments) == 0 && c.Failure == "" {
		return // somebody looked whether the port is open
	}
	r, err := trace.Decode(c)
	if err == nil {
		if !s.flags.secrets {
			r = r.WithoutSecrets()
		}
		var data []byte
		if data, err = r.JSON(); err == nil {
			err = s.store(client, t.number, r, data)
		}
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.problem == nil {
			s.problem = err
			s.app.ui.warnf("--trace: %s", plainError(err))
		}
	}
}

// Names of recordings: failures come first in a listing, each kind in the order of time.
const (
	failedPrefix = "failed-"
	donePrefix   = "ok-"
)

func (s *serveTrace) store(client string, number int, r *trace.Recording, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := donePrefix
	if r.Failure != nil || !r.Summary.Complete {
		prefix = failedPrefix
	}
	who := strings.NewReplacer(":", "_", "[", "", "]", "", "%", "_").Replace(client)
	name := fmt.Sprintf("%s%s-%06d-%s.json", prefix, r.Started.UTC().Format("20060102T150405.000Z"), number, who)
	if err := s.makeRoom(); err != nil {
		return err
	}
	temporary := filepath.Join(s.flags.dir, "."+name)
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(s.flags.dir, name))
}

// makeRoom removes recordings until there is room for one more: the oldest of those that were complete, and where there
// are none the oldest of the failures.
func (s *serveTrace) makeRoom() error {
	entries, err := os.ReadDir(s.flags.dir)
	if err != nil {
		return err
	}
	var failed, done []string
	for _, e := range entries {
		switch name := e.Name(); {
		case !strings.HasSuffix(name, ".json") || !e.Type().IsRegular():
		case strings.HasPrefix(name, failedPrefix):
			failed = append(failed, name)
		case strings.HasPrefix(name, donePrefix):
			done = append(done, name)
		}
	}
	slices.Sort(done)
	slices.Sort(failed)
	victims := append(done, failed...)
	for i := 0; len(victims)-i >= s.flags.keep; i++ {
		if err := os.Remove(filepath.Join(s.flags.dir, victims[i])); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
