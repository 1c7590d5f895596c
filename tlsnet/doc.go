// Package tlsnet carries TLS over real connections: it is the one place with sockets, deadlines and goroutines.
//
// A [Conn] joins a net.Conn and a tlscore.Machine and is itself a net.Conn: Read and Write may be called
// concurrently, deadlines hold, and CloseWrite closes one half. It answers the machine's questions - is this chain
// trusted (pki), sign this (crypto.Signer), which certificate - and makes sure that a peer that is refused receives the
// alert that says why. [Dial], [Listen] and their kin make such connections; [HTTPServer] and [Transport] carry
// HTTP/1.1 and HTTP/2 over them, chosen by the negotiated ALPN and never by looking at the bytes.
//
//	Read ─▶ read half ──▶ Machine.Feed        Machine.Seal ◀── write half ◀─ Write
//	        (own lock)        │                     ▲          (own lock)
//	                          └─ control records ───┘
//	                             (KeyUpdate answers, alerts)
//
// The two halves share nothing but the machine's queue of control records. Read never waits for a Write that is
// blocked: what the read half has to send is written by the next Write, or by a short-lived goroutine when nobody writes.
//
// Connections are resumed without being asked to: a [Listener] seals sessions into tickets whose keys rotate
// ([TicketKeys]) or keeps them ([ServerSessions]), a [Dialer] keeps its tickets ([SessionStore]), and certificates are
// verified again each time. 0-RTT data is taken only by who asks for it ([Conn.ReadEarly], [HTTPServer]) and sent only by
// who asks for it ([Dialer.DialEarly], [Transport.EarlyData]). Until the client's Finished has come its halves are one:
//
//	ReadEarly ─▶ wait for bytes (own lock) ─▶ Machine.Feed ─┐
//	                                    Machine.Seal ◀──────┴─ lock of the write half ◀─ Write (0.5-RTT)
//
// What this package does not know: the rules of the protocol (tlscore), how bytes are laid out (wire), who signs
// certificates and why a chain is trusted (pki), files (internal/keystore), and what is done with the data.
package tlsnet
