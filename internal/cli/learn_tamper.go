package cli

import (
	"bytes"
	"fmt"
)

// tampering is one change that somebody in between makes.
type tampering struct {
	word  string // of --tamper
	text  string // what it does
	from  int    // 0: a line of the client, 1: of the server
	index int    // which of its lines
	// change returns what arrives in the line's place.
	change func(line []byte) [][]byte
}

// tamperings are all of them, in the order of the steps.
func tamperings() []tampering {
	return []tampering{
		{"version", "the version in ClientHello", 0, 0, replaceIn(`"Version":"minitls/1"`, `"Version":"minitls/0"`)},
		{"suite", "the suites that the client offers: a weaker one is put in front", 0, 0, replaceIn(`"CipherSuites":["`, `"CipherSuites":["RC4-MD5","`)},
		{"random", "a digit of the client's random", 0, 0, flipIn("ClientRandom")},
		{"keyshare", "a digit of the client's public key", 0, 0, flipIn("EphPubKey")},
		{"name", "the name the client looks for", 0, 0, replaceIn(`"ServerName":"example-server"`, `"ServerName":"evil-server"`)},
		{"server-random", "a digit of the server's random", 1, 0, flipIn("ServerRandom")},
		{"server-keyshare", "a digit of the server's public key", 1, 0, flipIn("EphPubKey")},
		{"server-suite", "the suite that the server chose", 1, 0, replaceIn(`"CipherSuite":"X25519-Ed25519-AES256GCM-SHA256"`, `"CipherSuite":"RC4-MD5"`)},
		{"cert", "a letter of the certificate, in its signature", 1, 1, flipSignature},
		{"signature", "a digit of the signature in CertificateVerify", 1, 2, flipIn("Signature")},
		{"finished", "a digit of the server's Finished", 1, 3, flipIn("MAC")},
		{"client-finished", "a digit of the client's Finished", 0, 1, flipIn("MAC")},
		{"type", "the kind of a message", 1, 2, replaceIn(`"Type":"CertificateVerify"`, `"Type":"Finished"`)},
		{"form", "a blank that changes no meaning", 1, 1, replaceIn(`{"Type"`, `{ "Type"`)},
		{"seq", "the number of a record", 0, 2, replaceIn(`"Seq":0`, `"Seq":1`)},
		{"data", "a digit of what is encrypted", 0, 2, flipIn("Ciphertext")},
		{"drop", "a message is swallowed: the certificate", 1, 1, func([]byte) [][]byte { return nil }},
		{"drop-data", "a record is swallowed", 0, 2, func([]byte) [][]byte { return nil }},
		{"replay", "a record is sent twice", 0, 2, func(line []byte) [][]byte { return [][]byte{line, line} }},
	}
}

func tamperWords() []string {
	var words []string
	for _, t := range tamperings() {
		words = append(words, t.word)
	}
	return words
}

func replaceIn(old, replacement string) func([]byte) [][]byte {
	return func(line []byte) [][]byte { return [][]byte{bytes.Replace(line, []byte(old), []byte(replacement), 1)} }
}

// flipIn changes the last digit of a field of hexadecimal.
func flipIn(field string) func([]byte) [][]byte {
	return func(line []byte) [][]byte {
		changed := bytes.Clone(line)
		_, end := valueOf(changed, field)
		flip(changed, end-1)
		return [][]byte{changed}
	}
}

// flipSignature changes a letter of the certificate's text, seven eighths through it: there lies its signature. Only
// letters are changed into letters, so that the text stays readable and the signature alone is wrong.
func flipSignature(line []byte) [][]byte {
	changed := bytes.Clone(line)
	start, end := valueOf(changed, "Certificate")
	at := start + (end-start)*7/8/2*2
	for at > start && (changed[at] < '4' || changed[at] > '7') {
		at -= 2
	}
	flip(changed, at+1)
	return [][]byte{changed}
}

// valueOf finds the text of a field.
func valueOf(line []byte, field string) (start, end int) {
	mark := fmt.Appendf(nil, `"%s":"`, field)
	start = bytes.Index(line, mark) + len(mark)
	return start, start + bytes.IndexByte(line[start:], '"')
}

// flip puts another hexadecimal digit in the place of one.
func flip(line []byte, at int) {
	if line[at] == '1' {
		line[at] = '2'
		return
	}
	line[at] = '1'
}
