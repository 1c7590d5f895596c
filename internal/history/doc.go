// Package history keeps what a monitor has seen and whom it has told: targets with the time of their next look, what each
// place showed last, every change, raw looks for a while and summaries for longer, certificates by fingerprint with where
// they were seen, incidents, notices, and deliveries that are still to be made.
//
// A look's consequences are one transaction: what was seen, the incidents that follow, the notices, and the next time. So
// a process that dies leaves the look done or not done, and never an incident that nobody is told of. A look is claimed
// for a while before it is made; only who holds the claim may file it, so that nothing is filed twice.
//
// SQLite holds it for one process, PostgreSQL for several nodes. The package does NOT know how to look (internal/monitor),
// what a look is worth (internal/watch), when people are told (internal/incident), or how they are reached (internal/notify).
package history
