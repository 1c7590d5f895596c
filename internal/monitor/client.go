package monitor

import (
	"fmt"
	"os"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
)

// clientOf reads what a target's server is shown that asks for a client certificate; nil: there is nothing. A key that others
// can read is refused.
func clientOf(s *spec) (*scan.Identity, error) {
	if s.Client == "" {
		return nil, nil
	}
	id, err := keystore.LoadIdentity(s.Client, s.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("the client certificate: %w", err)
	}
	return &scan.Identity{Chain: id.Chain, Key: id.Key}, nil
}

// changeOf is another text when one of the files is another one: what was made of it is made anew.
func changeOf(files ...string) string {
	text := ""
	for _, f := range files {
		if info, err := os.Stat(f); f != "" && err == nil {
			text += fmt.Sprintf("|%q|%d|%d|%o", f, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return text
}

// shown looks at the client certificate itself: it runs out, too, and then the server is said to refuse it.
func (l *looker) shown(s *spec) *watch.Observation {
	o := &watch.Observation{Place: s.Client, Source: watch.Shown, At: l.o.Now(), Outcome: watch.Answered}
	err := readFile(o, s.Client, nil)
	if err == nil {
		_, err = clientOf(s)
	}
	if err != nil {
		o.Outcome, o.Error = watch.Unreadable, pki.Printable(err.Error())
	}
	return o
}
