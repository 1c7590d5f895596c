// Package incident decides what people are told, and when: findings of checks go in, incidents and notices come out.
//
// One incident stands for one trouble of one thing - a certificate, not each of the five hundred addresses that serve it.
// It is told once when it opens, once for each threshold that it crosses, when nobody acknowledges it in time, and when it
// is over. What flaps is waited for: a trouble must be seen several times before it counts, where its kind asks for that,
// and must be gone several times before it is over.
//
//	target's findings ──▶ Book.Observe ──▶ incidents opened, raised, lowered, resolved ──▶ notices
//	             time ──▶ Book.Tick    ──▶ escalations of what nobody acknowledged
//	           person ──▶ Book.Acknowledge, Silence
//
// The package is pure. It does NOT know how a check is made, where incidents are kept (internal/store), or how a notice
// reaches anybody (internal/notify): each notice has an identity that stays the same however often it is delivered.
package incident
