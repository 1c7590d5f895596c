// Package tlsnet carries TLS 1.3 and TLS 1.2 over real connections: clients, servers, and HTTP/1.1 and HTTP/2 on both
// sides, in the place of crypto/tls. It is the one place with sockets, deadlines and goroutines.
//
// # How to begin
//
// An HTTPS client is a [Transport]; the zero one trusts the roots of the system:
//
//	client := &http.Client{Transport: &tlsnet.Transport{}}
//	response, err := client.Get("https://www.example.org/")
//
// An HTTPS server is a [Listener] with an [Identity], and a handler of net/http:
//
//	identity, err := tlsnet.ParseIdentity(fullchain, privkey) // both PEM
//	if err != nil {
//		return err
//	}
//	listener, err := tlsnet.Listen("tcp", ":443", &tlsnet.Config{
//		Identities: []tlsnet.Identity{identity},
//		Core:       tlscore.Config{ALPN: tlsnet.HTTPProtocols()},
//	})
//	if err != nil {
//		return err
//	}
//	return tlsnet.ServeHTTP(listener, handler)
//
// For other protocols there are [Dial] and [Listener.Accept], and [Client] and [Server] over any net.Conn.
//
// # What matters
//
// [Config] is plain data for both roles: whom to trust, what to show, what to keep and whom to tell. What is negotiated
// stands in its Core, a [tlscore.Config] whose zero value is sound. It is checked and copied when it is used; to make
// many connections, use [NewDialer] or [NewListener], which check it once. [Listener.SetConfig] replaces it while
// serving.
//
// [Conn] is a net.Conn: Read and Write may be called concurrently, deadlines hold, and [Conn.CloseWrite] closes one
// half. The handshake is made by the first of these calls, or by [Conn.HandshakeContext]. [Conn.Info] tells what was
// negotiated and who is there; an HTTP handler asks [InfoFromContext], a client [InfoFromResponse], because Request.TLS
// and Response.TLS are nil: their type belongs to crypto/tls.
//
// Each Write sends what it is given, in one system call. A program that writes much in small pieces puts a bufio.Writer
// in front of the Conn, or sets Config.WriteDelay: small Writes then wait a moment for others to travel with, until
// [Conn.Flush], or until the program reads.
//
// [HTTPServer] and [Transport] speak what ALPN negotiated and never look at the bytes to find out. Without Core.ALPN a
// server speaks HTTP/1.1 alone.
//
// [Conn.Detach] and [Attach] hand a connection over to another process, while the peer notices nothing.
//
// # What is safe, and what is not
//
// Defaults are safe: chain and name are verified, in every resumed connection anew; TLS 1.2 is spoken with ephemeral
// keys and AEADs only; tickets are sealed with keys that rotate ([TicketKeys]) and bound to what they were given for. A
// handshake is bounded by [DefaultHandshakeTimeout], but a connection is not: set deadlines, or the time-outs of
// HTTPServer. There is neither renegotiation nor compression.
//
// Unsafe are, each by a name of its own: Config.Insecure (anybody can be in the middle), Config.KeyLog and
// Config.Secrets (whoever has them reads the traffic), and early data, which an attacker can replay: it is taken only
// by who asks for it ([Conn.ReadEarly], or HTTPServer with Core.MaxEarlyData) and sent only by who asks for it
// ([Dialer.DialEarly], Transport.EarlyData). Config.VerifyPeer and Config.Pins add to verification and never replace
// it.
//
// # Errors
//
// [Dial] and Transport return a [*DialError]; its Failure is one word for each case that a person wants told apart.
// errors.As finds more in it, and in the errors of a Conn: a [*tlscore.Error] says who is to blame, which alert was
// sent or received and which rule was broken; a [*pki.VerifyError] why a certificate was refused. [ErrHandshakeTimeout]
// is a net.Error. At the end of the stream, io.EOF means that the peer said so, and io.ErrUnexpectedEOF that somebody
// may have cut it off. Errors about a configuration come at once, from the function that it is given to.
//
// # How it works
//
// A Conn joins a net.Conn and a [tlscore.Machine]. It answers the machine's questions - is this chain trusted (pki),
// sign this (crypto.Signer), which certificate - and makes sure that a peer that is refused receives the alert that
// says why.
//
//	Read ─▶ read half ──▶ Machine.Feed        Machine.Seal ◀── write half ◀─ Write
//	        (own lock)        │                     ▲          (own lock)
//	                          └─ control records ───┘
//	                             (KeyUpdate answers, alerts)
//
// The two halves share nothing but the machine's queue of control records. Read never waits for a Write that is
// blocked: what the read half has to send is written by the next Write, or by a short-lived goroutine when nobody
// writes. Until a client's Finished has come, a server that reads early data has one half:
//
//	ReadEarly ─▶ wait for bytes (own lock) ─▶ Machine.Feed ─┐
//	                                    Machine.Seal ◀──────┴─ lock of the write half ◀─ Write (0.5-RTT)
//
// What this package does not know: the rules of the protocol (tlscore), how bytes are laid out (wire), who signs
// certificates and why a chain is trusted (pki), files (internal/keystore), and what is done with the data. It speaks
// neither DTLS nor QUIC, and no version below TLS 1.2: to look at old servers there is package scan.
package tlsnet
