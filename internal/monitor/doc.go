// Package monitor watches: it looks at servers and files when their time comes, judges what it sees, keeps it, and tells
// people.
//
//	configuration ──▶ targets in the history
//	runner: what is due ──▶ crew: look (scan, files) ──▶ watch.Judge ──▶ history.File, which makes incidents and deliveries
//	runner: the time ──▶ escalations, the sign of life, what is old
//	post: history.ClaimDeliveries ──▶ notify.Channel
//
// Any number of processes may work on one history in PostgreSQL: a queue hands out what is due, and a target is held by a
// lease while it is looked at. On SQLite one process does it all. Looking is scan's craft, so servers of any age are seen as they are; what a look is worth is
// watch's, and when to tell somebody incident's. The package knows time, order and patience. It does NOT know TLS.
package monitor
