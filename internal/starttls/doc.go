// Package starttls asks a server, in the protocol that it speaks in plain text, to go over to TLS: SMTP, LMTP, IMAP, POP3,
// ManageSieve, FTP, NNTP, LDAP, XMPP, IRC, PostgreSQL, MySQL, RDP and Telnet. It knows these few sentences of each and
// nothing of TLS or of dialing: the caller brings the connection and its deadline, and makes the handshake afterwards. It
// never goes on in plain text: what is not the agreement to TLS, and what a server says beyond it, is an error.
//
// Microsoft's TDS (mssql) is not among them: it carries the handshake inside its own packets, so that there is no moment at
// which TLS begins on the connection.
package starttls
