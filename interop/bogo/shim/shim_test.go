package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func TestWhatHasNoMeaningIsUnimplemented(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown flag":         {"-frobnicate"},
		"flag without value":   {"-port"},
		"value too large":      {"-port", "70000"},
		"value no number":      {"-curves", "x25519"},
		"unknown group":        {"-curves", "1"},
		"unknown scheme":       {"-verify-prefs", "1"},
		"resumption":           {"-resume-count", "1"},
		"second connection":    {"-on-resume-async"},
		"TLS 1.2 at most":      {"-max-version", "771"},
		"TLS 1.3 switched off": {"-no-tls13"},
		"empty protocol name":  {"-advertise-alpn", "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(args); got != exitUnimplemented {
				t.Errorf("exit status %d, want %d", got, exitUnimplemented)
			}
		})
	}
}

func TestTheRunnerHearsThatThereAreNoHandshakers(t *testing.T) {
	if got := run([]string{"-is-handshaker-supported"}); got != exitDone {
		t.Errorf("exit status %d", got)
	}
}

func TestFlagsForTheFirstConnectionCount(t *testing.T) {
	c, err := parseFlags([]string{"-on-initial-expect-version", "772", "-on-shim-cert-file", "a", "-new-x509-credential", "-cert-file", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if c.expect.version != wire.VersionTLS13 || c.fallback.chainFile != "a" || c.credentials[0].chainFile != "b" {
		t.Errorf("%+v", c)
	}
}

func TestTLS12IsUnimplementedWhereItIsAllowed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, true},
		{[]string{"-no-tls1", "-no-tls11"}, true},
		{[]string{"-no-tls1", "-no-tls11", "-no-tls12"}, false},
		{[]string{"-min-version", "772"}, false},
		{[]string{"-min-version", "771"}, true},
	} {
		s, err := parseFlags(c.args)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.versions.older(); got != c.want {
			t.Errorf("%q: %v", c.args, got)
		}
	}
}

// TestEveryFailureHasAWord keeps the table whole: without a word a test that expects this failure cannot pass.
func TestEveryFailureHasAWord(t *testing.T) {
	without := []tlscore.Code{
		tlscore.CodePeerAlert,       // a word per alert
		tlscore.CodePeerClosedEarly, // BoringSSL reports the end of the stream, without a word
		tlscore.CodeKeysExhausted,   // BoringSSL does not count its peer's records
		tlscore.CodeTooLongToSend,   // a mistake of ours, at configuration
		tlscore.CodeHelloChanged,    // BoringSSL keeps no first ClientHello to compare with
		tlscore.CodeBadCookie,       // BoringSSL sends no cookie
		tlscore.CodeNoIdentity,      // the application's word
		tlscore.CodeSigningFailed,   // the key's word
		tlscore.CodeAborted,         // the application's doing
	}
	for c := tlscore.Code(0); c.String() != "unknown"; c++ {
		if word := canonical[c]; (word == "") != slices.Contains(without, c) {
			t.Errorf("%v: %q", c, word)
		}
	}
	for _, row := range finer {
		if canonical[row.code] == "" {
			t.Errorf("%v has finer words, but no word", row.code)
		}
	}
}

func TestOtherErrorsKeepTheirText(t *testing.T) {
	if got := describe(errors.New("no route")); got != "no route" {
		t.Errorf("%q", got)
	}
}
