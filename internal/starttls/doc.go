// Package starttls asks a server, in the protocol that it speaks in plain text, to go over to TLS: SMTP, IMAP, POP3, FTP,
// NNTP, LDAP and PostgreSQL. It knows these few sentences of each and nothing of TLS or of dialing: the caller brings the
// connection and its deadline, and makes the handshake afterwards. It never goes on in plain text: what is not the
// agreement to TLS, and what a server says beyond it, is an error.
package starttls
