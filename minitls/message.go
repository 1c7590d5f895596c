package minitls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Version and Suite are what both sides must name: there is one of each.
const (
	Version = "minitls/1"
	Suite   = "X25519-Ed25519-AES256GCM-SHA256"
)

const (
	MaxLine      = 64 << 10 // bytes of a line, its end included; a peer that sends more is refused before it is read
	MaxPlaintext = 16 << 10 // bytes that one Data message may carry; hexadecimal doubles them
)

// Hex is binary data in a JSON string: lower-case hexadecimal.
type Hex []byte

// MarshalText gives the string.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads it.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// The messages, in the order in which they are sent. The order of the fields is the order on the wire.
type (
	// ClientHello opens the conversation (step 5).
	ClientHello struct {
		Type         string   // "ClientHello"
		Version      string   // [Version]
		CipherSuites []string // what the client can do: holds [Suite]
		ClientRandom Hex      // 32 fresh bytes, so that no two handshakes have the same transcript
		EphPubKey    Hex      // the client's X25519 public key for this handshake alone
		ServerName   string   // whom the client wants to talk to
	}
	// ServerHello answers it (step 7).
	ServerHello struct {
		Type         string // "ServerHello"
		Version      string
		CipherSuite  string // the one that is used
		ServerRandom Hex    // 32 fresh bytes
		EphPubKey    Hex    // the server's X25519 public key for this handshake alone
	}
	// Certificate says who the server is (step 10).
	Certificate struct {
		Type        string // "Certificate"
		Certificate Hex    // the server's X.509 certificate, the bytes of its PEM text
	}
	// CertificateVerify proves that the server has the certificate's key (step 12).
	CertificateVerify struct {
		Type      string // "CertificateVerify"
		Signature Hex    // Ed25519 over the transcript hash up to Certificate
	}
	// Finished proves that its sender has the same keys and saw the same lines (step 14).
	Finished struct {
		Type string // "Finished"
		MAC  Hex    // HMAC-SHA-256 over the transcript hash up to here
	}
	// Data carries what both came for (step 15).
	Data struct {
		Type       string // "Data"
		Seq        uint64 // 0, 1, 2 … for each direction
		Ciphertext Hex    // AES-256-GCM, its tag behind it; of nothing: the sender is done
	}
)

// encode writes a message as its one line.
func encode(message any) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err) // strings, numbers and hexadecimal always have a form in JSON
	}
	return append(text, '\n')
}

// decode reads a line as one kind of message, and no other. Each message has exactly one form: a line that is not what
// encode would write is refused, so that nobody can change as much as a blank of it unseen.
func decode(line []byte, kind string, into any) *Error {
	var head struct{ Type string }
	if len(line) > MaxLine {
		return fail(CheckForm, "the line has more than %d bytes", MaxLine)
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return fail(CheckForm, "the line is not JSON: %v", err)
	}
	if head.Type != kind {
		return fail(CheckOrder, "%.40q arrives where %s must come", head.Type, kind)
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fail(CheckForm, "%s cannot be read: %v", kind, err)
	}
	if !bytes.Equal(encode(into), line) {
		return fail(CheckForm, "%s is not in its one form: a field is missing, unknown or written otherwise", kind)
	}
	return nil
}

// Check names what found a peer at fault.
type Check string

// The checks, in the order in which a handshake meets them.
const (
	CheckForm, CheckOrder                    Check = "message form", "message order"
	CheckVersion, CheckSuite                 Check = "version", "cipher suite"
	CheckRandom, CheckKeyShare               Check = "random", "key share"
	CheckServerName, CheckIssuer             Check = "server name", "certificate issuer"
	CheckSignature, CheckDates               Check = "certificate signature", "certificate dates"
	CheckCommonName, CheckCertificateVerify  Check = "certificate name", "CertificateVerify"
	CheckServerFinished, CheckClientFinished Check = "server Finished", "client Finished"
	CheckSequence, CheckTag                  Check = "sequence number", "record tag"
)

// Error is a refusal. The machine that returned it takes nothing any more.
type Error struct {
	Check Check
	Text  string // one sentence
}

// Error implements error.
func (e *Error) Error() string { return string(e.Check) + ": " + e.Text }

func fail(check Check, format string, args ...any) *Error {
	return &Error{Check: check, Text: fmt.Sprintf(format, args...)}
}
