package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/pki"
)

// gatewayFile is a file with a gateway, as it was read.
type gatewayFile struct {
	name    string
	text    []byte
	gateway *config.Gateway
}

// readGateway reads a file. What is wrong in it is shown where it stands.
func (a *app) readGateway(name string) (*gatewayFile, error) {
	text, _, err := a.readBytes(name)
	if errors.Is(err, os.ErrNotExist) {
		f := cannotRun(err, "")
		f.hint = "name the file with -c; docs/gateway.md begins with one of five lines, and tlswright init writes a whole one"
		return nil, f
	}
	if err != nil {
		return nil, err
	}
	file := &gatewayFile{name: name, text: text}
	if file.gateway, err = estate.ReadGateway(text); err != nil {
		var wrong *config.Error
		if errors.As(err, &wrong) {
			return nil, a.configFailure(file, wrong)
		}
		return nil, cannotRun(err, "%s", pki.Printable(name))
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, cannotRun(err, "")
	}
	file.gateway.RelativeTo(dir)
	if b, err := a.base(nil); err == nil {
		b.RecognizeOwnCA(file.gateway)
	}
	return file, nil
}

// configFailure shows the line, and says what is wrong with it.
func (a *app) configFailure(file *gatewayFile, wrong *config.Error) *failure {
	f := &failure{kind: kindUsage, text: pki.Printable(file.name) + ": " + wrong.Error(), hint: wrong.Hint, err: wrong}
	if wrong.Line > 0 {
		a.ui.write(&a.ui.err, wrong.Excerpt(file.text))
	}
	return f
}

// gatewayFailure puts what gateway.New refuses into words, with its place in the file.
func (a *app) gatewayFailure(file *gatewayFile, err error) error {
	var wrong *gateway.ConfigError
	if !errors.As(err, &wrong) {
		f := cannotRun(err, "")
		if file != nil && errors.Is(err, os.ErrNotExist) && strings.HasPrefix(f.text, "tickets: ") {
			f.hint = "make it, and copy it to the other nodes: (umask 077; openssl rand -base64 48 > FILE)"
		}
		return f
	}
	cause := cannotRun(wrong.Err, "")
	var own *failure
	if errors.As(wrong.Err, &own) {
		cause = own
	}
	where := wrong.Where
	if file != nil && wrong.Place.Line > 0 {
		place := config.Error{Line: wrong.Place.Line, Column: wrong.Place.Column}
		a.ui.write(&a.ui.err, place.Excerpt(file.text))
		where = fmt.Sprintf("%s: line %d: %s", pki.Printable(file.name), wrong.Place.Line, where)
	}
	f := &failure{kind: kindLocal, text: where + ": " + cause.text, hint: cause.hint, err: err}
	var trouble *pki.RefusedError
	if f.hint == "" && errors.As(err, &trouble) {
		f.hint = trouble.Hint
	}
	if s := siteAt(file, wrong.Place); f.hint == "" && s != nil && s.Certificate.Live != "" && errors.Is(err, os.ErrNotExist) {
		f.hint = "obtain it first: tlswright acme obtain " + pki.Printable(s.Certificate.Live)
	}
	return f
}

// siteAt is the site that stands at a place of the file; nil: none does.
func siteAt(file *gatewayFile, at config.Place) *config.Site {
	if file == nil {
		return nil
	}
	for i := range file.gateway.Sites {
		if s := &file.gateway.Sites[i]; s.Place == at {
			return s
		}
	}
	return nil
}

// bindFailure says why a listener cannot be had.
func (a *app) bindFailure(file *gatewayFile, err error) error {
	f := asFailure(a.gatewayFailure(file, err))
	var wrong *gateway.ConfigError
	switch {
	case f.hint != "":
	case errors.Is(err, syscall.EADDRINUSE):
		f.hint = "the port is taken: by another tlswright? port 0 takes a free one"
	case errors.Is(err, syscall.EACCES) && errors.As(err, &wrong) && strings.HasPrefix(wrong.Where, "listener "):
		f.hint = "take a port from 1024 on; those below are for root (with user: NAME in the file), for programs with CAP_NET_BIND_SERVICE, and for sockets of systemd"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.hint = "no interface of this machine has that address"
	}
	return f
}

// siteLine says in one line what a site is.
func siteLine(s *config.Site) string {
	parts := []string{targetText(&s.Target)}
	if len(s.Routes) > 0 {
		parts = append(parts, countOf(len(s.Routes), "route"))
	}
	parts = append(parts, certificateText(&s.Certificate))
	if c := s.Clients; c != nil {
		word := "client certificates required"
		if c.Mode == config.ClientsRequest {
			word = "client certificates asked for"
		}
		parts = append(parts, word+", "+countOf(len(c.Policy.Allow)+len(c.Policy.Deny), "rule"))
	}
	return strings.Join(parts, "; ")
}

func targetText(t *config.Target) string {
	switch {
	case t.URL != "":
		return "to " + pki.Printable(t.URL)
	case t.Dir != "":
		return "files of " + pki.Printable(t.Dir)
	case t.Welcome:
		return "a page that welcomes"
	case t.Echo:
		return "echo"
	}
	return fmt.Sprintf("answers %d", t.Status)
}

func certificateText(c *config.Certificates) string {
	switch {
	case len(c.Files) > 1:
		return countOf(len(c.Files), "certificate")
	case len(c.Files) == 1:
		return "certificate " + pki.Printable(c.Files[0].Chain)
	case c.Live != "":
		return "certificate live/" + pki.Printable(c.Live)
	case c.ACME != nil:
		return "certificate of " + pki.Printable(c.ACME.Directory)
	}
	return "certificate of the own CA"
}
