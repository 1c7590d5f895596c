package cli

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// serveLog tells what a server does, a line (or a short block) for each thing that happens: to people, or as JSON lines.
type serveLog struct {
	app     *app
	asJSON  bool
	isQuiet bool        // connections and requests are not told, refusals are
	trace   *serveTrace // nil: nothing is recorded
}

// event is one line of `serve --json`. The names are stable; what does not apply is left out.
type event struct {
	Event       string           `json:"event"` // listening, connection, received, closed, refused, request, withheld, backend
	Time        string           `json:"time"`  // RFC 3339, UTC
	Address     string           `json:"address,omitempty"`
	URL         string           `json:"url,omitempty"`
	Handshake   *handshakeReport `json:"handshake,omitempty"`
	Client      string           `json:"client,omitempty"` // subject of the verified client certificate
	Reason      string           `json:"reason,omitempty"`
	Alert       string           `json:"alert,omitempty"`
	By          string           `json:"by,omitempty"` // who refused: "server" or "client"
	Certificate *certReport      `json:"certificate,omitempty"`
	Data        string           `json:"data,omitempty"`        // where it is UTF-8
	Base64      string           `json:"data_base64,omitempty"` // where it is not
	Early       bool             `json:"early,omitempty"`       // the data came as early data, which can be replayed
	Received    *int64           `json:"received_bytes,omitempty"`
	Request     *requestJSON     `json:"request,omitempty"`
	Denial      *gateway.Denial  `json:"denial,omitempty"` // all about a refusal, as "gateway explain" tells it
}

type requestJSON struct {
	Method   string  `json:"method"`
	Path     string  `json:"path"`
	Protocol string  `json:"protocol"`
	Status   int     `json:"status"`
	Bytes    int64   `json:"bytes"`
	Millis   float64 `json:"milliseconds"`
}

// tell prints an event as JSON, or its text to the stream it belongs to.
func (l *serveLog) tell(s *stream, e event, text string) {
	if !l.asJSON {
		l.app.ui.write(s, text)
		return
	}
	e.Time = l.app.now().UTC().Format(time.RFC3339Nano)
	// An event holds nothing that cannot be encoded.
	_ = l.app.ui.printJSONLine(e)
}

func (l *serveLog) listening(scheme string, addr net.Addr) {
	url := scheme + "://" + addr.String()
	l.tell(&l.app.ui.out, event{Event: "listening", Address: addr.String(), URL: url}, "listening on "+url+"\n")
}

// connected tells the facts of a connection that carries no HTTP.
func (l *serveLog) connected(c *tlsnet.Conn) {
	if l.isQuiet {
		return
	}
	f, peer, now := c.Facts(), c.Peer(), l.app.now()
	h := newHandshakeReport(f, now)
	h.Kernel = newKernelReport(c.KernelTLS())
	rows := append(negotiatedRows(f), kernelRows(c.KernelTLS())...)
	if f.ServerName != "" {
		rows = append(rows, row{label: "server name", value: pki.Printable(f.ServerName)})
	}
	rows = append(rows, row{label: "client cert", value: clientText(peer)})
	out := &l.app.ui.out
	text := out.paint(bold, "connection from "+c.RemoteAddr().String()) + "\n" + out.rows(rows)
	l.tell(out, event{Event: "connection", Address: c.RemoteAddr().String(), Handshake: &h, Client: verifiedName(peer)}, text)
}

// clientText says who the client is.
func clientText(p tlsnet.Peer) string {
	if name := verifiedName(p); name != "" {
		return name
	}
	return "none"
}

func verifiedName(p tlsnet.Peer) string {
	if !p.Verified() {
		return ""
	}
	return nameOf(p.Chain[0])
}

func (l *serveLog) received(c *tlsnet.Conn, data []byte) { l.receivedText(c, data, false) }

// receivedEarly tells the beginning of what came before the handshake was done.
func (l *serveLog) receivedEarly(c *tlsnet.Conn, data []byte) {
	l.receivedText(c, data[:min(len(data), shownPerConnection)], true)
}

func (l *serveLog) receivedText(c *tlsnet.Conn, data []byte, isEarly bool) {
	if l.isQuiet {
		return
	}
	n := int64(len(data))
	word := "received"
	if isEarly {
		word = "received early"
	}
	text := fmt.Sprintf("%s %s from %v: %s\n", word, byteCount(n), c.RemoteAddr(), quoted(data))
	e := event{Event: "received", Address: c.RemoteAddr().String(), Received: &n, Early: isEarly}
	if utf8.Valid(data) {
		e.Data = string(data)
	} else {
		e.Base64 = base64.StdEncoding.EncodeToString(data)
	}
	l.tell(&l.app.ui.out, e, text)
}

// closed tells the end of a connection; err is nil where both sides closed in order.
func (l *serveLog) closed(c *tlsnet.Conn, received int64, err error) {
	e := event{Event: "closed", Address: c.RemoteAddr().String(), Received: &received}
	text := fmt.Sprintf("closed %v: %s received and echoed", c.RemoteAddr(), byteCount(received))
	if err != nil {
		e.Reason, _, _ = refusalText(err)
		text += "; " + e.Reason
	}
	if l.isQuiet && err == nil {
		return
	}
	l.tell(&l.app.ui.out, e, text+"\n")
}

// refused tells in one line why a handshake failed, and which certificate it was about.
func (l *serveLog) refused(c *tlsnet.Conn, err error) {
	l.trace.fail(c.RemoteAddr(), err)
	reason, alert, byPeer := refusalText(err)
	if reason == "" {
		return
	}
	e := event{Event: "refused", Address: c.RemoteAddr().String(), Reason: reason, Alert: alert, By: "server"}
	text := fmt.Sprintf("%s %v: %s", l.app.ui.err.paint(caution, "refused"), c.RemoteAddr(), reason)
	if byPeer {
		e.By = "client"
		text = fmt.Sprintf("%s %v: %s", l.app.ui.err.paint(caution, "refused by"), c.RemoteAddr(), reason)
	}
	if alert != "" {
		text += ", alert " + alert
	}
	if leaf := c.Peer().Leaf; leaf != nil {
		r := newCertReport(leaf, l.app.now())
		e.Certificate = &r
		text += " [" + certificateInLog(leaf) + "]"
	}
	l.tell(&l.app.ui.err, e, text+"\n")
}

// certificateInLog names a certificate so that it can be found again.
func certificateInLog(c *x509.Certificate) string {
	return fmt.Sprintf("%s, issuer %s, serial %s, until %s, sha256 %s",
		nameOf(c), pki.Name(c.Issuer), c.SerialNumber.Text(16), dateOf(c.NotAfter), pki.Fingerprint(c.Raw)[:16])
}

// refusalText says on the server's side why a connection failed, with the alert that went over the wire; byPeer says
// that the client sent it. An empty reason is not worth a line: somebody only looked whether the port is open.
func refusalText(err error) (reason, alert string, byPeer bool) {
	var trust *pki.VerifyError
	var tls *tlscore.Error
	isTLS := errors.As(err, &tls)
	if isTLS {
		if a, ok := tls.Alert(); ok {
			alert = a.String()
		}
		byPeer = tls.Received()
	}
	switch {
	case errors.As(err, &trust):
		reason = "its chain: " + trust.Text
		if about, ok := strings.CutPrefix(trust.Text, "the certificate "); ok {
			reason = "its certificate " + about
		}
	case isTLS && tls.Code == tlscore.CodePeerAlert:
		code, _ := tls.Alert()
		reason, _ = explainAlert(code)
		reason = strings.TrimPrefix(strings.TrimSuffix(reason, " (alert "+alert+")"), "the peer refused: ")
	case isTLS && tls.Code == tlscore.CodeCertificateRequired:
		reason = "it sent no client certificate"
	case isTLS && tls.Code == tlscore.CodeNotTLS:
		reason = "what it sent is not TLS"
	case isTLS && tls.Code == tlscore.CodePeerClosedEarly:
		return "", "", false
	case isTLS:
		reason = pki.Printable(strings.TrimPrefix(tls.Error(), "tls: "))
	case errors.Is(err, tlsnet.ErrHandshakeTimeout):
		reason = "the handshake was not done in time"
	case errors.Is(err, io.ErrUnexpectedEOF):
		reason = "it broke off without close_notify"
	default:
		reason = explainConnection(err).text
	}
	return reason, alert, byPeer
}

// quoted shows data on one line: in double quotes, with everything that is not printable as an escape.
func quoted(data []byte) string {
	const shown = 200
	if len(data) > shown {
		return fmt.Sprintf("%+q... and %s more", data[:shown], byteCount(int64(len(data)-shown)))
	}
	return fmt.Sprintf("%q", data)
}
