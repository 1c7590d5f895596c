package minitls

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"
)

// ServerConfig is who a server is.
type ServerConfig struct {
	Options
	Certificate *x509.Certificate // issued by the CA; its common name is the server's name
	Key         ed25519.PrivateKey
}

// Server is the machine of the server. It awaits ClientHello, Finished, then Data.
type Server struct {
	machine
	config ServerConfig
}

// NewServer makes a server for one connection. The error says what the configuration lacks.
func NewServer(config ServerConfig) (*Server, error) {
	if config.Certificate == nil || len(config.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("a server needs a certificate and its Ed25519 key")
	}
	m, err := newMachine(config.Options)
	if err != nil {
		return nil, err
	}
	s := &Server{machine: m, config: config}
	s.expects = s.onClientHello
	return s, nil
}

// onClientHello answers with all the server has to say (steps 7 to 12, and its half of 14).
func (s *Server) onClientHello(line []byte, _ time.Time) (state, *Error) {
	var m ClientHello
	if err := decode(line, "ClientHello", &m); err != nil {
		return nil, err
	}
	if err := checkHello(m.Version, m.ClientRandom); err != nil {
		return nil, err
	}
	if !slices.Contains(m.CipherSuites, Suite) {
		return nil, fail(CheckSuite, "the client does not offer %s", Suite)
	}
	if m.ServerName != s.config.Certificate.Subject.CommonName {
		return nil, fail(CheckServerName, "the client looks for %.80q; this is %q", m.ServerName, s.config.Certificate.Subject.CommonName)
	}
	s.add(line)
	s.steps(6, "transcript hash up to ClientHello", s.sum())
	// A key share that leads nowhere is refused before anything is said.
	if err := s.share(m.EphPubKey); err != nil {
		return nil, err
	}
	s.send(ServerHello{"ServerHello", Version, Suite, s.random, s.private.PublicKey().Bytes()})
	s.steps(7, "ServerHello goes out with this random", s.random)
	s.send(Certificate{"Certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.config.Certificate.Raw})})
	signed := s.sum()
	s.steps(10, "Certificate goes out; transcript hash", signed)
	signature := ed25519.Sign(s.config.Key, signed)
	s.send(CertificateVerify{"CertificateVerify", signature})
	s.steps(12, "CertificateVerify goes out with this signature", signature)
	mac := s.keys.finished("server", s.sum())
	s.send(Finished{"Finished", mac})
	s.steps(14, "the server's Finished goes out", mac)
	return s.onFinished, nil
}

// onFinished: the client has the same keys and saw the same lines (step 14).
func (s *Server) onFinished(line []byte, _ time.Time) (state, *Error) {
	var m Finished
	if err := decode(line, "Finished", &m); err != nil {
		return nil, err
	}
	if !hmac.Equal(m.MAC, s.keys.finished("client", s.sum())) {
		return nil, fail(CheckClientFinished, "the client saw other lines, or has other keys")
	}
	s.steps(14, "the client's Finished is right", m.MAC)
	s.sealer = s.keys.direction("server")
	s.opener = s.keys.direction("client")
	return s.openData, nil
}
