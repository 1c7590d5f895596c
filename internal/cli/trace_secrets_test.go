package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlswright/tlswright/trace"
)

// holdNoSecrets is `secretless SECRETS FILE...`. With a ! in front each FILE must hold a secret: so a script shows that
// the search finds what is there.
func holdNoSecrets(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: secretless SECRETS FILE...")
	}
	secrets := secretsOf(ts, args[0])
	if len(secrets) == 0 {
		ts.Fatalf("there are no secrets in %s to look for", args[0])
	}
	var files []string
	for _, pattern := range args[1:] {
		matches, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(matches) == 0 {
			ts.Fatalf("there is no %s", pattern)
		}
		files = append(files, matches...)
	}
	for _, file := range files {
		text := []byte(ts.ReadFile(file))
		if len(text) == 0 {
			ts.Fatalf("%s is empty", file)
		}
		found := ""
		for name, secret := range secrets {
			if holds(text, secret) {
				found = name
			}
		}
		if found != "" && !neg {
			ts.Fatalf("%s holds %s", file, found)
		}
		if found == "" && neg {
			ts.Fatalf("%s holds none of the %d secrets", file, len(secrets))
		}
	}
}

// showEverywhere is `showall RECORDING PREFIX ARG...`: it shows a recording in every format that there is, into PREFIX.FORMAT;
// a key log only where ARG says --secrets.
func showEverywhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: showall RECORDING PREFIX ARG...")
	}
	for _, format := range trace.Formats() {
		if format != formatKeyLog || slices.Contains(args, "--secrets") {
			ts.Check(ts.Exec("tlswright", append([]string{"trace", "show", args[0], "--format", format, "-o", args[1] + "." + format}, args[2:]...)...))
		}
	}
}

// secretsOf reads the secrets of a key log, or all of the key schedule of a recording.
func secretsOf(ts *testscript.TestScript, file string) map[string][]byte {
	text := ts.ReadFile(file)
	secrets := map[string][]byte{}
	if !strings.HasPrefix(text, "{") {
		lines, err := trace.ReadKeyLog(strings.NewReader(text))
		ts.Check(err)
		for _, l := range lines {
			secrets[l.Label] = l.Secret
		}
		return secrets
	}
	r, err := trace.ReadJSON(strings.NewReader(text))
	ts.Check(err)
	for _, k := range r.Keys {
		// What a Finished of TLS 1.2 holds goes over the wire, and the first step without a PSK starts from nothing.
		if len(k.Output) >= 12 && !strings.HasSuffix(k.Label, " finished") && len(bytes.Trim(k.Output, "\x00")) > 0 {
			secrets[k.Name+" of step "+k.Label] = k.Output
		}
	}
	return secrets
}

// holds looks for a secret as it is, in hexadecimal with or without anything in between, and in base64.
func holds(text, secret []byte) bool {
	if bytes.Contains(text, secret) {
		return true
	}
	digits := bytes.Map(func(r rune) rune {
		if unicode.Is(unicode.ASCII_Hex_Digit, r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
	if bytes.Contains(digits, []byte(hex.EncodeToString(secret))) {
		return true
	}
	// Of a value in hexadecimal that is broken by an offset at the start of each line, half a line is enough.
	if len(secret) >= 16 && bytes.Contains(bytes.ToLower(text), []byte(hex.EncodeToString(secret[:16]))) {
		return true
	}
	spaced := strings.ReplaceAll(string(bytes.ToLower(text)), " ", "")
	if strings.Contains(spaced, hex.EncodeToString(secret[:12])) {
		return true
	}
	for shift := range 3 {
		whole := append(make([]byte, shift), secret...)
		whole = whole[:len(whole)/3*3]
		encoded := base64.StdEncoding.EncodeToString(whole)
		if bytes.Contains(text, []byte(encoded[4:])) {
			return true
		}
	}
	return false
}
