package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

var nssGroups = map[wire.Group]string{
	wire.GroupX25519: "x25519", wire.GroupSecp256r1: "P256", wire.GroupSecp384r1: "P384", wire.GroupSecp521r1: "P521",
}

var nssVersions = map[wire.Version]string{
	wire.VersionTLS10: "tls1.0", wire.VersionTLS11: "tls1.1", wire.VersionTLS12: "tls1.2", wire.VersionTLS13: "tls1.3",
}

// nssSchemes are all signature schemes of NSS that we have too. Those of RSA-PSS keys are off unless they are named.
const nssSchemes = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,ecdsa_secp521r1_sha512," +
	"rsa_pss_rsae_sha256,rsa_pss_rsae_sha384,rsa_pss_rsae_sha512,rsa_pss_pss_sha256,rsa_pss_pss_sha384,rsa_pss_pss_sha512," +
	"rsa_pkcs1_sha256,rsa_pkcs1_sha384,rsa_pkcs1_sha512"

// nssByID is no argument of NSS's programs: it takes away the one with which they use session tickets.
const nssByID = "without -u"

// nssVersion is asked once: many cases want to know.
var nssVersion = sync.OnceValues(func() (string, error) {
	for _, name := range []string{"openssl", "certutil", "pk12util", "selfserv", "tstclnt"} {
		if _, err := findProgram(name); err != nil {
			return "", err
		}
	}
	out, err := runOnce(context.Background(), "modutil", "-nocertdb", "-list", "NSS Internal PKCS #11 Module")
	_, after, found := strings.Cut(out, "Library Version:")
	if words := strings.Fields(after); err == nil && found && len(words) > 0 {
		return "NSS " + words[0], nil
	}
	return "", errors.Join(errors.New("modutil does not tell the version"), err)
})

func nssPeer() peer {
	return peer{
		name:    "NSS",
		version: nssVersion,
		groups:  func() []wire.Group { return ecGroups },
		kinds:   without(allKinds, ed25519K),
		suites:  slices.Concat(without(allSuites, ccmSuites...), without(allSuites12, ccmSuites...)),
		serve:   nssServe,
		dial:    nssDial,
		alertText: map[wire.AlertCode]string{
			wire.AlertBadCertificate:               "ssl peer cannot verify your certificate",
			wire.AlertUnknownCA:                    "peer does not recognize and trust the ca",
			wire.AlertCertificateRequired:          "received a certificate_required alert",
			wire.AlertCertificateUnknown:           "some unspecified issue with the certificate",
			wire.AlertHandshakeFailure:             "unable to negotiate an acceptable set of security parameters",
			wire.AlertProtocolVersion:              "peer reports incompatible or unsupported protocol version",
			wire.AlertInappropriateFallback:        "the client downgraded to a lower tls version",
			wire.AlertNoRenegotiation:              "peer does not permit renegotiation",
			wire.AlertCertificateRevoked:           "rejected your certificate as revoked",
			wire.AlertBadCertificateStatusResponse: "unable to get an ocsp response for its certificate",
		},
		ownGroup: nssPicks,
		noALPN:   true,
		returns: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.extra = append(slices.Clone(a.extra), "-L", "2")
			return nssRun(ctx, p, addr, a, func(c *nssClient) error {
				return errors.Join(c.move(), c.move())
			})
		},
		withoutTickets: one(nssByID),
		takesEarly:     nssTakesEarly,
		earlyData:      nssEarly,
		lateForEarly:   true,
		sendsEarly:     nssSendsEarly,
		resends:        true,
		readsOCSP: func(ctx context.Context, p *pki, addr string, a asks) told {
			// -F makes it judge the staple, and its exit code says how that went; -M 1 asks for OCSP alone.
			a.extra = []string{"-T", "-F", "-M", "1"}
			return nssGlance(ctx, p, addr, a, "received 1 cert status items")
		},
		readsSCT: func(ctx context.Context, p *pki, addr string, a asks) told {
			list := 2 // the length of the list, and of each SCT
			for _, sct := range a.sct.scts {
				list += 2 + len(sct)
			}
			a.extra = one("-U")
			return nssGlance(ctx, p, addr, a, fmt.Sprintf("received a signed certificate timestamp of length %d", list))
		},
		ownStaples: true,
		fallsBack:  func(a asks) asks { a.extra = one("-K"); return a },
		redials: func(ctx context.Context, p *pki, addr string, a asks) told {
			a.extra = []string{"-r", "1"}
			return nssDial(ctx, p, addr, a)
		},
		renegotiate: func(_ peerServer, c net.Conn) error {
			_, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
			return err
		},
		note: "`tstclnt`, the payloads through its stdin and stdout, and `selfserv`, which is asked twice in each case: for a file of 1 MB, " +
			"and to send back the 10 KB that it takes at most; selfserv cannot be told an address and listens on all of them",
	}
}

// nssPicks is the group that selfserv takes in TLS 1.2, where it gets that of the case and the certificate's curve. It
// wants one at least as strong as the weaker of the certificate and the cipher.
func nssPicks(tm terms) wire.Group {
	bits := map[wire.Group]int{
		wire.GroupX25519: 256, wire.GroupSecp256r1: 256, wire.GroupSecp384r1: 384, wire.GroupSecp521r1: 521,
	}
	curve, cipher := tm.kind.curve(), 2*256
	if strings.Contains(tm.suite.String(), "AES_128") {
		cipher = 2 * 128
	}
	if curve != 0 && bits[tm.group] < min(bits[curve], cipher) {
		return curve
	}
	return tm.group
}

// nssTerms is what selfserv and tstclnt have in common.
func nssTerms(db string, a asks) []string {
	args := []string{"-d", db, "-V", nssVersions[a.oldest()] + ":" + nssVersions[a.newest()], "-J", nssSchemes}
	if a.identity != nil {
		args = append(args, "-n", nssNickname)
	}
	if a.suites != nil {
		var list strings.Builder
		for _, id := range a.suites {
			fmt.Fprintf(&list, ":%04X", uint16(id))
		}
		args = append(args, "-c", list.String())
	}
	if a.groups != nil {
		names := make([]string, len(a.groups))
		for i, g := range a.groups {
			names[i] = nssGroups[g]
		}
		args = append(args, "-I", strings.Join(names, ","))
	}
	if !slices.Contains(a.extra, nssByID) {
		args = append(args, "-u")
	}
	return append(args, without(a.extra, nssByID)...)
}

type nssServer struct {
	*program
	address string
	asks    asks
	file    string // what it hands out: the payload
}

func nssServe(ctx context.Context, p *pki, a asks) (peerServer, error) {
	db, err := p.nssDatabase(ctx, nssHolds{a.identity, a.ocsp != nil})
	if err != nil {
		return nil, err
	}
	file, err := p.nssFile(a.short)
	if err != nil {
		return nil, err
	}
	args := nssTerms(db, a)
	if a.alpn != nil {
		args = append(args, "-Q") // http/1.1, and nothing else
	}
	if a.requireClient {
		args = append(args, "-r", "-r")
	}
	if a.chatty {
		args = append(args, "-r", "-r", "-r") // ask for a certificate in another handshake, behind the request
	}
	if a.early {
		args = append(args, "-Z")
	}
	if a.ocsp != nil {
		mode, err := nssStaple(a.ocsp)
		if err != nil {
			return nil, err
		}
		args = append(args, "-T", mode, "-A", nssIssuer)
	}
	prog, addr, err := startServer(ctx, false, "selfserv", func(port string) []string { return append(args, "-p", port) })
	if err != nil {
		return nil, err
	}
	return &nssServer{prog, addr, a, file}, nil
}

func (s *nssServer) addr() string { return s.address }
func (s *nssServer) log() string  { return s.program.log.String() }

const (
	nssHead = "HTTP/1.0 200 OK\r\nServer: Generic Web Server\r\nDate: Tue, 26 Aug 1997 22:10:05 GMT\r\nContent-type: text/plain\r\n\r\n"
	nssPost = "POST / HTTP/1.0\r\n\r\n" // one line of data follows
	// nssEarly is the beginning of such a request.
	nssEarly = nssPost + "this is sent early, and how it ends is not"
	nssEnd   = "EOF\r\n\r\n\r\n"
	nssUp    = 10_000 // bytes of a request; selfserv has room for 10239
)

// exchange asks for the file, in a request that is as long as selfserv allows. It closes by itself.
func (s *nssServer) exchange(c net.Conn) error {
	request := "GET " + s.file + " HTTP/1.0\r\nX-Long: "
	request += nssLine(nssUp-len(request)-4) + "\r\n\r\n"
	if err := nssSend(c, request); err != nil {
		return err
	}
	got, err := nssAnswer(c)
	if err != nil {
		return err
	}
	return s.asks.down().same("server to us", got)
}

// echo has a request sent back.
func (s *nssServer) echo(c net.Conn) error {
	request := nssPost + nssLine(nssUp-len(nssPost)-1) + "\n"
	if err := nssSend(c, request); err != nil {
		return err
	}
	return nssSentBack(c, request)
}

// nssSentBack reads what selfserv makes of a POST.
func nssSentBack(c net.Conn, request string) error {
	got, err := nssAnswer(c)
	if err != nil {
		return err
	}
	return payload(request+nssEnd).same("us to server and back", got)
}

// nssSend writes a request; where the case updates keys, it does so in the middle.
func nssSend(c net.Conn, request string) error {
	half := len(request) / 2
	_, err := io.WriteString(c, request[:half])
	if u, ok := c.(*updating); ok && err == nil {
		err = u.keys.KeyUpdate(true)
	}
	if err == nil {
		_, err = io.WriteString(c, request[half:])
	}
	return err
}

func nssAnswer(c io.Reader) ([]byte, error) {
	got, err := io.ReadAll(c)
	if err != nil {
		return nil, fmt.Errorf("reading after %d bytes: %w", len(got), err)
	}
	body, ok := bytes.CutPrefix(got, []byte(nssHead))
	if !ok {
		return nil, fmt.Errorf("selfserv answered %.200q", got)
	}
	return body, nil
}

// nssLine is so much of the payload as text, without a line feed.
func nssLine(n int) string { return strings.ReplaceAll(string(textPayload()[:n]), "\n", "_") }

// nssTakesEarly ends a request that was sent early, without which selfserv would answer and be gone before it read that the
// handshake is done.
func nssTakesEarly(_ context.Context, s peerServer, c *tlsnet.Conn, early bool) error {
	if !early {
		return s.exchange(c)
	}
	if _, err := io.WriteString(c, "\n"); err != nil {
		return err
	}
	return nssSentBack(c, nssEarly+"\n")
}
