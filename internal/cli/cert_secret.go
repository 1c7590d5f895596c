package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tlswright/tlswright/internal/keystore"
)

// secretFlags say where a passphrase comes from: a file, a variable of the environment, or somebody at the terminal.
// Never the command line itself, which everybody on the machine can read.
type secretFlags struct {
	file, env string
	prefix    string // "" or "new-"
	isNew     bool   // a passphrase to be set: asked for twice, and never empty
	known     []byte // asked for once
}

// register adds --password-file and --password-env, or with a prefix --new-password-file and so on.
func (s *secretFlags) register(cmd *cobra.Command, of string) {
	f := cmd.Flags()
	f.StringVar(&s.file, s.prefix+"password-file", "", "the passphrase of "+of+" is the first line of `FILE` (\"-\": standard input)")
	f.StringVar(&s.env, s.prefix+"password-env", "", "the passphrase of "+of+" is in the environment variable `NAME`")
	_ = cmd.MarkFlagFilename(s.prefix + "password-file")
	exclusive(cmd, s.prefix+"password-file", s.prefix+"password-env")
}

// isSet reports whether the flags name a passphrase.
func (s *secretFlags) isSet() bool { return s.file != "" || s.env != "" }

// maxSecret bounds a passphrase, in bytes.
const maxSecret = 1024

// secret is the passphrase for what; it is asked for at most once.
func (a *app) secret(s *secretFlags, what string) ([]byte, error) {
	if s.known != nil {
		return s.known, nil
	}
	var text []byte
	var err error
	switch {
	case s.file != "":
		text, err = a.secretFromFile(s)
	case s.env != "":
		value, ok := os.LookupEnv(s.env)
		if !ok {
			return nil, &failure{kind: kindLocal, text: fmt.Sprintf("--%spassword-env: there is no variable %s in the environment", s.prefix, s.env)}
		}
		text = []byte(value)
	default:
		text, err = a.secretFromTerminal(s, what)
	}
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSecret:
		return nil, &failure{kind: kindLocal, text: fmt.Sprintf("the passphrase has more than %d bytes", maxSecret)}
	case s.isNew && len(text) == 0:
		return nil, &failure{kind: kindLocal, text: "the passphrase is empty, which would protect nothing"}
	}
	s.known = append([]byte{}, text...)
	return s.known, nil
}

// secretFromFile is the first line of the file, which must be closed to others as the key itself would be.
func (a *app) secretFromFile(s *secretFlags) ([]byte, error) {
	if s.file != "-" {
		line, err := keystore.ReadPassphraseFile(s.file)
		if err != nil {
			return nil, cannotRun(err, "")
		}
		return line, nil
	}
	text, _, err := a.readBytes(s.file)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// secretFromTerminal asks the person at the terminal, without echo; standard input may be a pipe meanwhile.
func (a *app) secretFromTerminal(s *secretFlags, what string) ([]byte, error) {
	tty := a.ui.inFile
	if !term.IsTerminal(int(tty.Fd())) {
		t, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			f := &failure{kind: kindLocal, text: "there is no terminal to ask at for the passphrase of " + what}
			f.hint = fmt.Sprintf("give it with --%spassword-file FILE or --%spassword-env NAME", s.prefix, s.prefix)
			return nil, f
		}
		defer t.Close()
		tty = t
	}
	ask := func(prompt string) ([]byte, error) {
		text, err := readSilently(int(tty.Fd()), func() { a.ui.write(&a.ui.err, prompt) })
		a.ui.write(&a.ui.err, "\n")
		if err != nil {
			return nil, asFailure(fmt.Errorf("reading the passphrase: %w", err))
		}
		return text, nil
	}
	if !s.isNew {
		return ask("passphrase of " + what + ": ")
	}
	first, err := ask("new passphrase for " + what + ": ")
	if err != nil {
		return nil, err
	}
	again, err := ask("once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, &failure{kind: kindLocal, text: "the two passphrases differ"}
	}
	return first, nil
}

// readSilently prompts for a line and reads it without echo. An interrupt ends it at once and gives the terminal its echo back, which it would
// lack otherwise after this program has gone.
func readSilently(fd int, prompt func()) ([]byte, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		prompt()
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return a.text, a.err
	case <-interrupted:
		return nil, errors.Join(context.Canceled, term.Restore(fd, before))
	}
}
