// Package store keeps a CA's records, in one SQLite file or, for several nodes, in
// PostgreSQL: which serial numbers were reserved for what, which certificates were
// signed, what was revoked and when, how far each CRL reached, and an audit log whose
// entries are chained by hash.
//
// It knows rows and transactions: that a write is on disk before the call returns
// (WAL, synchronous=FULL), that concurrent writes share one transaction and one
// fsync (group commit), that two processes may work on one file, and what a full
// disk or a foreign file means in words. Rows of the audit log, of revocations and
// of requests are only ever added; triggers refuse to change or delete them.
//
// It does NOT know X.509, keys or the network: certificates are bytes with the few
// columns that are searched for, and what may be issued is decided elsewhere. The
// SQL is portable on purpose ($1, ON CONFLICT, times as milliseconds in integers), so
// that nearly all of it serves both databases.
//
// What differs with PostgreSQL: there is no one writer. Reservations and records still
// share transactions, a few at a time on each node; every other change is a transaction
// of its own that locks the rows it decides upon. Only the audit log needs an order
// among all of them, and an advisory lock gives it, taken as late as can be: before the
// last entry is read, and for changes to the validity of certificates and numbers of
// CRLs at their beginning. A node that dies is noticed by its session's end, and the
// serial numbers it had reserved are closed, whereas what living nodes are at work on
// is left alone.
package store
