package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// tourWatch is a monitor that watches the tour's website, and the messages that it sends.
type tourWatch struct {
	target   string
	history  *history.History
	looked   chan watch.State // what each look amounts to
	messages chan notify.Payload
}

// tourMonitorFile looks as often as a monitor may. No grades: the audit was a chapter of its own.
const tourMonitorFile = `monitor:
  targets:
    - {name: website, address: %q, server-name: localhost, ca: %q}
  every: 1s
  grade: none
  channels:
    - {name: pager, kind: webhook, url: %q, secret-file: %q}
`

// tourAlarm bounds how long a message may take. It comes within two seconds or three where nothing is in the way.
const tourAlarm = 20 * time.Second

func (t *tour) watchSite() {
	var w *tourWatch
	if !t.check("all is well", func() (detail string, err error) {
		if w, err = t.startWatch(); err != nil {
			return "", err
		}
		if err := w.until(t.ctx, watch.OK); err != nil {
			return "", err
		}
		return "the monitor looks at https://localhost:" + portOf(t.shown.l.Addr()) + "/ every second, as a client does", nil
	}) {
		return
	}
	if !t.check("alarm", func() (string, error) {
		expired, err := t.issueExpired(pki.Request{Profile: pki.ProfileServer, CommonName: "localhost", SANs: []string{"localhost", "127.0.0.1"}})
		if err != nil {
			return "", err
		}
		begun := time.Now()
		if err := t.shown.show(expired); err != nil {
			return "", err
		}
		m, err := w.message(t.ctx, incident.Opened)
		if err != nil {
			return "", err
		}
		if m.Severity != incident.Emergency {
			return "", fmt.Errorf("the message is no emergency, but %v: %q", m.Severity, m.Title)
		}
		return fmt.Sprintf("the website shows a certificate that has run out; %.1f s later a signed message is there: %v, %q", time.Since(begun).Seconds(), m.Severity, m.Title), nil
	}) {
		return
	}
	var begun time.Time
	if !t.check("mended", func() (string, error) {
		w.forgetLooks()
		begun = time.Now()
		if err := t.shown.show(t.server); err != nil {
			return "", err
		}
		return "the good certificate is back, and the monitor sees it", w.until(t.ctx, watch.OK)
	}) {
		return
	}
	t.check("all clear", func() (string, error) {
		if _, err := w.message(t.ctx, incident.ResolvedNow); err != nil {
			return "", err
		}
		open, _, err := w.history.Incidents(t.ctx, history.IncidentQuery{Open: true})
		if err != nil {
			return "", err
		}
		if len(open) > 0 || len(w.messages) > 0 {
			return "", fmt.Errorf("%d incidents are still open, %d messages too many were sent", len(open), len(w.messages))
		}
		return fmt.Sprintf("after two good looks, %.1f s later, a message that it is over; nothing was told twice", time.Since(begun).Seconds()), nil
	})
}

// startWatch runs a monitor until the tour ends, and what it sends messages to.
func (t *tour) startWatch() (*tourWatch, error) {
	_, port, err := net.SplitHostPort(t.shown.l.Addr().String())
	if err != nil {
		return nil, err
	}
	w := &tourWatch{looked: make(chan watch.State, 1000), messages: make(chan notify.Payload, 100)}
	w.target = net.JoinHostPort("127.0.0.1", port)
	random := make([]byte, 16)
	rand.Read(random)
	secret := hex.EncodeToString(random)
	file := filepath.Join(t.home, "pager.secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return nil, err
	}
	url, err := t.startApplication(w.receive(secret))
	if err != nil {
		return nil, err
	}
	c, err := config.ReadMonitor(fmt.Appendf(nil, tourMonitorFile, w.target, t.ca.RootPath(), url, file))
	if err != nil {
		return nil, err
	}
	if w.history, err = history.Open(t.ctx, filepath.Join(t.home, "monitor.db")); err != nil {
		return nil, err
	}
	t.later(w.history.Close)
	engine, err := monitor.New(c, monitor.Options{History: w.history, Now: t.app.now, Looked: func(_ string, v watch.Verdict, _ time.Duration) {
		select {
		case w.looked <- v.State:
		default: // nobody asks any more
		}
	}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx) }()
	t.later(func() error { cancel(); return <-done })
	return w, nil
}

// receive takes messages, as the pager of a person on duty would: those alone that the monitor has signed.
func (w *tourWatch) receive(secret string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			http.Error(rw, "unreadable", http.StatusBadRequest)
			return
		}
		var at int64
		var p notify.Payload
		_, err = fmt.Sscan(r.Header.Get(notify.TimeHeader), &at)
		if err != nil || r.Header.Get(notify.SignatureHeader) != notify.Sign(secret, at, body) || json.Unmarshal(body, &p) != nil {
			http.Error(rw, "not signed by the monitor", http.StatusForbidden)
			return
		}
		w.messages <- p
	}
}

// forgetLooks makes the look that ends next the first.
func (w *tourWatch) forgetLooks() {
	for {
		select {
		case <-w.looked:
		default:
			return
		}
	}
}

// until waits for a look with a result.
func (w *tourWatch) until(ctx context.Context, want watch.State) error {
	deadline := time.After(tourAlarm)
	last := watch.Unknown
	for {
		select {
		case last = <-w.looked:
			if last == want {
				return nil
			}
		case <-deadline:
			return fmt.Errorf("the monitor says %v, not %v", last, want)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// message waits for the next message, which must be about the end of the certificate.
func (w *tourWatch) message(ctx context.Context, want incident.Event) (notify.Payload, error) {
	select {
	case m := <-w.messages:
		if m.Event != want || m.Kind != watch.KindExpiry || len(m.Targets) > 0 && m.Targets[0] != "website" {
			return m, fmt.Errorf("the message is about something else: %s, %s, %q", m.Event, m.Kind, m.Title)
		}
		return m, nil
	case <-time.After(tourAlarm):
		return notify.Payload{}, errors.New("no message came")
	case <-ctx.Done():
		return notify.Payload{}, ctx.Err()
	}
}
