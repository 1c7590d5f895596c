package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// flushTime is how long a line of the access log may wait in memory.
const flushTime = time.Second

// accessLog writes a JSON object a line for each request and for each connection without HTTP.
type accessLog struct {
	mu   sync.Mutex
	path string // "": nothing is written
	w    *bufio.Writer
	f    *os.File // nil: not ours to close
	enc  *json.Encoder
}

// AccessLine is one line of the access log. The names are stable; what does not apply is left out.
type AccessLine struct {
	Time       string  `json:"time"` // RFC 3339, of the beginning
	Listener   string  `json:"listener"`
	Site       string  `json:"site,omitempty"`
	Route      string  `json:"route,omitempty"`
	Remote     string  `json:"remote"`
	TLS        string  `json:"tls,omitempty"` // version
	ALPN       string  `json:"alpn,omitempty"`
	ServerName string  `json:"server_name,omitempty"`
	ECH        string  `json:"ech,omitempty"`         // accepted: server_name was encrypted; rejected: by a key that is not ours, or GREASE
	PublicName string  `json:"public_name,omitempty"` // that stood in the open in its place
	Resumed    bool    `json:"resumed,omitempty"`
	Client     string  `json:"client,omitempty"` // subject of the verified certificate
	Serial     string  `json:"client_serial,omitempty"`
	Host       string  `json:"host,omitempty"`
	Method     string  `json:"method,omitempty"`
	Path       string  `json:"path,omitempty"`
	Protocol   string  `json:"protocol,omitempty"`
	Status     int     `json:"status,omitempty"`
	Received   int64   `json:"received_bytes,omitempty"`
	Sent       int64   `json:"sent_bytes"`
	Millis     float64 `json:"milliseconds"`
	UserAgent  string  `json:"user_agent,omitempty"`
	Denial     string  `json:"denial,omitempty"` // its id
	Error      string  `json:"error,omitempty"`
}

// openAccessLog opens the file, "-" being output.
func openAccessLog(path string, output io.Writer) (*accessLog, error) {
	l := &accessLog{path: path}
	return l, l.open(output)
}

func (l *accessLog) open(output io.Writer) error {
	switch l.path {
	case "":
		return nil
	case "-":
		if output != nil {
			l.use(output)
		}
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return &ConfigError{Where: "access-log", Err: err}
	}
	l.f = f
	l.use(f)
	return nil
}

func (l *accessLog) use(w io.Writer) {
	l.w = bufio.NewWriterSize(w, 64<<10)
	l.enc = json.NewEncoder(l.w)
	l.enc.SetEscapeHTML(false)
}

// reopen closes the file and opens it again, perhaps another: after it was moved away to be kept.
func (l *accessLog) reopen(path string, output io.Writer) error {
	next := &accessLog{path: path}
	if err := next.open(output); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.closeLocked()
	l.path, l.w, l.f, l.enc = next.path, next.w, next.f, next.enc
	return err
}

func (l *accessLog) closeLocked() error {
	var err error
	if l.w != nil {
		err = l.w.Flush()
	}
	if l.f != nil {
		err = errors.Join(err, l.f.Close())
	}
	l.w, l.f, l.enc = nil, nil, nil
	return err
}

func (l *accessLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closeLocked()
}

func (l *accessLog) isOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.enc != nil
}

func (l *accessLog) write(line *AccessLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.enc != nil {
		_ = l.enc.Encode(line) // a full disk must not stop the service; flushEvery tells
	}
}

// flushEvery brings lines to the file in time, until ctx ends.
func (l *accessLog) flushEvery(ctx context.Context) {
	for pause(ctx, flushTime) {
		l.mu.Lock()
		if l.w != nil && l.w.Buffered() > 0 {
			_ = l.w.Flush()
		}
		l.mu.Unlock()
	}
}

// answered notes a request at its end.
func (g *Gateway) answered(q *request, r *http.Request, out relay.Outcome) {
	took := g.o.Now().Sub(q.began)
	site, route := "", ""
	if q.door != nil {
		site = q.door.site.name
	}
	if q.route != nil {
		route = q.route.name
	}
	g.metrics.requests.WithLabelValues(site, methodOf(r.Method), codeOf(out.Status())).Inc()
	if q.door != nil {
		q.door.site.took.Observe(took.Seconds())
		q.door.site.sent.Add(float64(out.Written()))
	}
	if !g.access.isOn() && g.o.Answered == nil {
		return
	}
	line := &AccessLine{Time: q.began.UTC().Format(time.RFC3339Nano), Listener: q.l.name, Site: site, Route: route, Remote: q.c.who(),
		Host: clip(pki.Printable(r.Host), 256), Method: clip(pki.Printable(r.Method), 32), Path: clip(pki.Printable(r.URL.RequestURI()), 2048), Protocol: r.Proto,
		Status: out.Status(), Sent: out.Written(), Millis: float64(took.Microseconds()) / 1000, UserAgent: clip(pki.Printable(r.UserAgent()), 256)}
	if q.deny != nil {
		line.Denial = q.deny.ID
	}
	if s := q.s; s != nil {
		line.of(s)
	}
	g.noted(line)
}

// noted writes a line, and tells who wants to know.
func (g *Gateway) noted(line *AccessLine) {
	g.access.write(line)
	if g.o.Answered != nil {
		g.o.Answered(*line)
	}
}

// of adds what is known of the connection.
func (line *AccessLine) of(s *settled) {
	f := s.tls.Facts()
	line.TLS, line.ALPN, line.Resumed = s.version.String(), s.alpn, s.resumed
	line.ServerName = clip(pki.Printable(f.ServerName), 256)
	if line.ECH = echWord(f.ECH); line.ECH == tlscore.ECHAccepted.String() {
		line.PublicName = clip(pki.Printable(f.ECH.PublicName), 256)
	}
	if s.subject.Present {
		line.Client, line.Serial = s.subject.Name, s.subject.Serial
	}
}

// streamEnded notes a connection without HTTP at its end.
func (g *Gateway) streamEnded(c *conn, d *door, s *settled, in, out int64, err error) {
	g.metrics.bytesIn.WithLabelValues(d.site.name).Add(float64(in))
	g.metrics.bytesOut.WithLabelValues(d.site.name).Add(float64(out))
	if !g.access.isOn() && g.o.Answered == nil {
		return
	}
	line := &AccessLine{Time: c.began.UTC().Format(time.RFC3339Nano), Listener: c.l.name, Site: d.site.name, Remote: c.who(), Received: in, Sent: out,
		Millis: float64(g.o.Now().Sub(c.began).Microseconds()) / 1000}
	if s != nil {
		line.of(s)
	}
	if err != nil {
		line.Error = pki.Printable(err.Error())
		g.log.Log(context.Background(), slog.LevelDebug, "connection ended", "remote", line.Remote, "error", line.Error)
	}
	g.noted(line)
}
