package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/estate"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/pki"
)

// readEstate reads a file; where there is none, and none was asked for, the settings are the usual ones. What is wrong is
// shown where it stands.
func (a *app) readEstate(name string, isNamed bool) (*estateFile, error) {
	text, _, err := a.readBytes(name)
	file := &estateFile{name: name, text: text}
	switch {
	case isMissing(err) && !isNamed:
		file = &estateFile{text: []byte(estate.Sample())}
	case isMissing(err):
		f := cannotRun(err, "")
		f.hint = "have one written: tlswright init " + pki.Printable(name)
		return nil, f
	case err != nil:
		return nil, err
	}
	if file.estate, err = estate.Read(file.text); err != nil {
		var wrong *config.Error
		if errors.As(err, &wrong) {
			return nil, a.configFailure(&gatewayFile{name: file.title(), text: file.text}, wrong)
		}
		return nil, cannotRun(err, "%s", pki.Printable(file.title()))
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, cannotRun(err, "")
	}
	file.estate.RelativeTo(dir)
	if b, err := a.base(nil); err == nil && file.estate.Gateway != nil {
		b.RecognizeOwnCA(file.estate.Gateway)
	}
	return file, nil
}

// title is what people call the file.
func (f *estateFile) title() string { return cmp.Or(f.name, "the usual settings") }

// upFailure says what went wrong with an estate: with which part, and where in the file.
func (a *app) upFailure(file *estateFile, err error) error {
	var (
		known   *failure
		part    *estate.PartError
		problem *estate.Problem
		gate    *gateway.ConfigError
		target  *monitor.TargetError
		told    *failure
	)
	section, key := "", ""
	if errors.As(err, &part) {
		section, key = part.Part, part.Part
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &problem):
		told = problemFailure(problem)
		if problem.Key != "" && section != "" {
			key = section + "." + problem.Key
			section = a.showKey(file, section, problem.Key)
		}
	case errors.As(err, &gate):
		return a.upGatewayFailure(file, err)
	case errors.As(err, &target) && file.name != "":
		return a.monitorFailure(&monitorFile{name: file.name, text: file.text}, err)
	case part != nil:
		told = asFailure(caFailure(part.Err, ""))
		told.text = strings.TrimPrefix(told.text, ": ")
	default:
		return asFailure(err)
	}
	f := *told
	if section != "" && !strings.HasPrefix(f.text, section) {
		f.text = section + ": " + f.text
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		f.hint = a.portHint(file, key)
	}
	return &f
}

// showKey shows where a key stands, and says so in words.
func (a *app) showKey(file *estateFile, section, key string) string {
	at := config.PlaceOf(file.text, section, key)
	if file.name == "" || at.Line == 0 {
		return section + "." + key
	}
	place := config.Error{Line: at.Line, Column: at.Column}
	a.ui.write(&a.ui.err, place.Excerpt(file.text))
	return fmt.Sprintf("%s: line %d: %s.%s", pki.Printable(file.name), at.Line, section, key)
}

// upGatewayFailure is bindFailure for a file with more than a gateway.
func (a *app) upGatewayFailure(file *estateFile, err error) error {
	gf := &gatewayFile{name: file.name, text: file.text, gateway: file.estate.Gateway}
	if file.name == "" {
		gf = nil
	}
	f := *asFailure(a.bindFailure(gf, err))
	if errors.Is(err, syscall.EADDRINUSE) {
		f.hint = a.portHint(file, "gateway.listeners")
		if gf == nil {
			f.text = "gateway: " + f.text
		}
	}
	return &f
}

// portHint says what to do about a port that is taken.
func (a *app) portHint(file *estateFile, key string) string {
	if file.name == "" {
		return "another program has that port; write the settings into a file (tlswright init), and take another at " + key
	}
	return "another program has that port: end it, or write another at " + key + " in " + pki.Printable(file.name)
}
