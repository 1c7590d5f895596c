// Package store keeps a CA's records in one SQLite file: which serial numbers were
// reserved for what, which certificates were signed, what was revoked and when,
// how far each CRL reached, and an audit log whose entries are chained by hash.
//
// It knows rows and transactions: that a write is on disk before the call returns
// (WAL, synchronous=FULL), that concurrent writes share one transaction and one
// fsync (group commit), that two processes may work on one file, and what a full
// disk or a foreign file means in words. Rows of the audit log, of revocations and
// of requests are only ever added; triggers refuse to change or delete them.
//
// It does NOT know X.509, keys or the network: certificates are bytes with the few
// columns that are searched for, and what may be issued is decided elsewhere. The
// SQL is portable on purpose ($1, ON CONFLICT, times as milliseconds in integers),
// so that PostgreSQL can take SQLite's place.
package store
