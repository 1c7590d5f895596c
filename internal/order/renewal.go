package order

import "time"

// RenewalWindow suggests when to renew a certificate (RFC 9773): from two thirds of its life on for a twelfth of it, so
// that the renewals of many clients spread and an outage of a quarter of the life is survived; for lives under ten days
// from the middle on. A revoked one is to be renewed at once: its window lies in the past.
func RenewalWindow(notBefore, notAfter, now time.Time, revoked bool) (start, end time.Time) {
	if revoked {
		return now.Add(-2 * time.Hour), now.Add(-time.Hour)
	}
	life := notAfter.Sub(notBefore)
	start = notBefore.Add(life / 3 * 2)
	if life < 10*24*time.Hour {
		start = notBefore.Add(life / 2)
	}
	return start, start.Add(life / 12)
}

// PollAfter is how long a client is asked to wait before it asks again for renewal information: a sixth of the time to the
// window's start, between one and six hours; whole seconds.
func PollAfter(start, now time.Time) time.Duration {
	return min(max(start.Sub(now)/6, time.Hour), 6*time.Hour).Truncate(time.Second)
}
