package trace

import (
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// serverName is what to call the server, safe to show.
func serverName(r *Recording) string {
	for _, name := range []string{r.Server.Name, r.Summary.ServerName, r.Server.Address} {
		if name != "" {
			return pki.Printable(name)
		}
	}
	return "an unnamed server"
}

// headLines say in three lines what happened.
func headLines(r *Recording) []string {
	return []string{headConnection(r), headChoices(r), headProof(r)}
}

func headConnection(r *Recording) string {
	s := &r.Summary
	version := pki.Printable(s.Version)
	if version == "" {
		version = "No version of TLS agreed on"
	}
	line := version + " with " + serverName(r)
	if a := pki.Printable(r.Server.Address); a != "" && a != serverName(r) {
		line += " (" + a + ")"
	}
	switch {
	case r.Failure != nil:
		line += ": it failed"
	case s.Complete:
		line += ": the handshake was complete after " + milliseconds(s.HandshakeTime)
	default:
		line += ": the handshake was not seen to its end"
	}
	if r.Observed != "" {
		line += ", seen from inside the " + string(r.Observed)
	}
	return line + "."
}

// headChoices is what was agreed on.
func headChoices(r *Recording) string {
	s := &r.Summary
	var parts []string
	add := func(before, what string) {
		if what != "" {
			parts = append(parts, before+pki.Printable(what))
		}
	}
	add("", s.CipherSuite)
	add("group ", s.Group)
	add("signed with ", s.Signature)
	add("speaking ", s.ALPN)
	if s.HelloRetry {
		parts = append(parts, "after a HelloRetryRequest")
	}
	if s.Resumed {
		parts = append(parts, "resumed, so without certificates")
	}
	add("with the pre-shared key ", s.PSK)
	add("early data ", s.EarlyData)
	if s.ClientAuth {
		parts = append(parts, "the client showed a certificate")
	}
	if len(parts) == 0 {
		return "Nothing was agreed on."
	}
	return strings.Join(parts, ", ") + "."
}

// headProof is whose certificate it was, and how many of the checks come out right.
func headProof(r *Recording) string {
	right, wrong, open := countChecks(r)
	line := "No certificate is to be seen"
	if s := &r.Summary; s.Resumed {
		line = "No certificate: the pre-shared key of a former connection speaks for both"
	} else if s.PSK != "" {
		line = "No certificate: the pre-shared key " + s.PSK + ", which both have had before, speaks for both"
	}
	for _, c := range pageCertificates(r) {
		if c.Index == 0 && r.Messages[c.Message].From == Server {
			line = "Certificate of " + c.Subject + ", issued by " + c.Issuer + ", good until " + c.NotAfter
			if c.Problem != "" {
				line = "The server's certificate cannot be read: " + c.Problem
			}
			break
		}
	}
	verdict := fmt.Sprintf("%d checks computed anew from the bytes: ", right+wrong)
	switch {
	case right+wrong == 0:
		verdict = "no check could be computed anew"
	case wrong > 0:
		verdict += fmt.Sprintf("%d wrong", wrong)
	default:
		verdict += "all right"
	}
	if open > 0 {
		verdict += fmt.Sprintf(" (%d more not possible)", open)
	}
	return line + "; " + verdict + "."
}

func countChecks(r *Recording) (right, wrong, open int) {
	for i := range r.Checks {
		switch r.Checks[i].Result {
		case "right":
			right++
		case "wrong":
			wrong++
		default:
			open++
		}
	}
	return right, wrong, open
}

// failureLines say who stopped and what to change; none if nothing failed.
func failureLines(r *Recording) []string {
	f := r.Failure
	if f == nil {
		return nil
	}
	who := "The connection ended"
	if f.By != "" {
		who = "The " + pki.Printable(string(f.By)) + " stopped"
	}
	if f.After >= 0 && f.After < len(r.Messages) {
		who += " after " + pki.Printable(r.Messages[f.After].Type)
	}
	if f.Alert != "" {
		who += ", with the alert " + pki.Printable(f.Alert)
	}
	lines := []string{who + ". " + pki.Printable(f.Text)}
	if f.Change != "" {
		lines = append(lines, "What to change: "+pki.Printable(f.Change))
	}
	return lines
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
