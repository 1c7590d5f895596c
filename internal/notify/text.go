package notify

import (
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/pki"
)

// Bounds on texts, in bytes: names in certificates are a stranger's, and may be long.
const (
	maxTitle = 300
	maxText  = 8000
)

// cut shortens a text to at most n bytes, at the end of a letter.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Subject is a message in one line, fit to print: "[CRITICAL] the certificate of a.example runs out".
func Subject(m *Message) string {
	word := strings.ToUpper(m.Severity.String())
	switch {
	case m.Test:
		return "[TEST] this channel works"
	case m.Event == incident.ResolvedNow:
		word = "RESOLVED"
	case m.Event == incident.Acknowledged:
		word = "ACKNOWLEDGED"
	case m.Event == incident.Escalated:
		word += ", NOT ACKNOWLEDGED"
	}
	return pki.Printable(fmt.Sprintf("[%s] %s", word, cut(m.Title, maxTitle)))
}

// Body is a message in full, as plain text of some lines.
func Body(m *Message) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", label+":", pki.Printable(text))
		}
	}
	if m.Test {
		b.WriteString("Somebody has asked tlswright to try this channel. Nothing is wrong.\n\n")
	}
	if m.Text != "" && m.Text != m.Title {
		b.WriteString(pki.Printable(cut(m.Text, maxText)) + "\n\n")
	}
	switch m.Event {
	case incident.ResolvedNow:
		b.WriteString("It is over.\n\n")
	case incident.Escalated:
		b.WriteString("It was told before, and nobody has acknowledged it.\n\n")
	}
	line("severity", m.Severity.String())
	line("kind", m.Key.Kind)
	line("subject", m.Key.Subject)
	if len(m.Targets) > 0 {
		text := strings.Join(m.Targets, ", ")
		if m.Affected > len(m.Targets) {
			text += fmt.Sprintf(" and %d more", m.Affected-len(m.Targets))
		}
		line("affected", text)
	}
	if !m.Since.IsZero() {
		line("since", m.Since.UTC().Format("2006-01-02 15:04 MST"))
	}
	line("incident", m.Incident)
	line("notice", m.ID)
	if m.Event != incident.ResolvedNow && m.Event != incident.Acknowledged && !m.Test {
		line("take it", "tlswright monitor ack "+m.Incident)
	}
	line("more", m.Link)
	return b.String()
}
