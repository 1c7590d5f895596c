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
		"negative count":       {"-resume-count", "-1"},
		"another process":      {"-on-handshaker-async"},
		"TLS 1.1 at most":      {"-max-version", "770"},
		"later TLS 1.1":        {"-on-resume-max-version", "770"},
		"legacy cipher suites": {"-cipher", "3DES"},
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

func TestFlagsGoToTheirConnections(t *testing.T) {
	p, err := parseFlags([]string{
		"-on-initial-expect-version", "771", "-on-resume-expect-version", "772", "-on-retry-verify-fail", "-async",
		"-on-shim-cert-file", "a", "-on-resume-new-x509-credential", "-cert-file", "b",
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.initial.expect.version != wire.VersionTLS12 || p.resumed.expect.version != wire.VersionTLS13 || p.retried.expect.version != 0 {
		t.Errorf("versions: %+v", p)
	}
	if !p.retried.verifyFail || p.initial.verifyFail || !p.initial.async || !p.resumed.async {
		t.Errorf("switches: %+v", p)
	}
	if p.initial.fallback.chainFile != "b" || p.resumed.fallback.chainFile != "a" || p.resumed.credentials[0].chainFile != "b" {
		t.Errorf("credentials: %+v", p)
	}
}

func TestVersionsAreThoseThatAreAllowed(t *testing.T) {
	for _, c := range []struct {
		args            []string
		lowest, highest wire.Version
		older           bool
	}{
		{nil, wire.VersionTLS12, wire.VersionTLS13, true},
		{[]string{"-no-tls1", "-no-tls11"}, wire.VersionTLS12, wire.VersionTLS13, false},
		{[]string{"-no-tls12"}, wire.VersionTLS13, wire.VersionTLS13, true},
		{[]string{"-max-version", "771"}, wire.VersionTLS12, wire.VersionTLS12, true},
		{[]string{"-min-version", "772"}, wire.VersionTLS13, wire.VersionTLS13, false},
		{[]string{"-no-tls13"}, wire.VersionTLS12, wire.VersionTLS12, true},
	} {
		p, err := parseFlags(c.args)
		if err != nil {
			t.Fatal(err)
		}
		v := p.initial.versions
		lowest, highest := v.ours()
		if older := v.allows(wire.VersionTLS10) || v.allows(wire.VersionTLS11); lowest != c.lowest || highest != c.highest || older != c.older {
			t.Errorf("%q: %v to %v, older %v", c.args, lowest, highest, older)
		}
	}
}

func TestCipherLists(t *testing.T) {
	for list, want := range map[string]int{
		"ALL": 6, "ALL:3DES": 6, "DEFAULT:!AES": 2, "AES128": 2,
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 1,
	} {
		var got []wire.CipherSuite
		if !cipherList(&got, list) || len(got) != want {
			t.Errorf("%q: %v", list, got)
		}
	}
}

// TestEveryFailureHasAWord keeps the table whole: without a word a test that expects this failure cannot pass.
func TestEveryFailureHasAWord(t *testing.T) {
	without := []tlscore.Code{
		tlscore.CodePeerAlert,       // a word per alert
		tlscore.CodePeerClosedEarly, // BoringSSL reports the end of the stream, without a word
		tlscore.CodeKeysExhausted,   // BoringSSL does not count its peer's records
		tlscore.CodeTooManyTickets,  // BoringSSL does not count its peer's tickets
		tlscore.CodeTooLongToSend,   // a mistake of ours, at configuration
		tlscore.CodeBadCookie,       // BoringSSL sends no cookie
		tlscore.CodeNoIdentity,      // the application's word
		tlscore.CodeSigningFailed,   // the key's word
		tlscore.CodeStapleFailed,    // the application's word
		tlscore.CodeAborted,         // the application's doing
		tlscore.CodeTooManyRequests, // BoringSSL takes no request after the handshake
		tlscore.CodeLateOverHTTP2,   // likewise
		tlscore.CodeBadRecordLimit,  // BoringSSL has neither of the two extensions
		tlscore.CodeBadDelegated,    // BoringSSL's clients take none
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
