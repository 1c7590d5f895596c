// Package watch judges what a monitor has seen: is this certificate all right, how long still, is what is served what lies
// on disk, and what has changed since last time.
//
//	Observation (one look at one address or file) ──▶ Judge ──▶ Verdict: a state, three ends of validity, findings
//	two Observations                              ──▶ Diff  ──▶ what is different, before and after
//	all Observations of one target                ──▶ Agree ──▶ not reloaded, not deployed everywhere, unknown to us
//
// Three ends are told apart, for mixing them up is how monitors cry wolf or sleep: that of the leaf, that of the best path
// that could be verified, and the earliest one of all certificates that were sent.
//
// The package is pure. It does NOT know how to look (internal/monitor does), when, or whom to tell (internal/incident).
package watch
