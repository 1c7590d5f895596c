package acmeserver

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// Limits bound how much one client may ask for. Zero fields: no limit. They hold for each node on its own.
type Limits struct {
	AccountsPerAddress Rate // new accounts from one network address (IPv6: one /64)
	OrdersPerAccount   Rate // new orders and authorizations
	FailedValidations  Rate // of one account; when they are used up, no validation is begun
}

// Rate is so many in a time, at most that many at once.
type Rate struct {
	Count int
	Per   time.Duration
}

// limiter counts by the generic cell rate algorithm: of each client one moment is kept, at which it would have nothing left
// to pay off.
type limiter struct {
	o    Limits
	m    Meter
	mu   sync.Mutex
	paid map[string]time.Time
}

// maxClients bounds the memory; beyond it those who owe nothing are forgotten, and then everybody.
const maxClients = 100_000

func newLimiter(o Limits, m Meter) *limiter {
	return &limiter{o: o, m: m, paid: make(map[string]time.Time)}
}

// take charges a client cost; false if it has used up what it may.
func (l *limiter) take(kind, client string, r Rate, cost int, now time.Time) bool {
	if r.Count <= 0 || r.Per <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := kind + " " + client
	due := l.paid[key]
	if due.Before(now) {
		due = now
	}
	step := r.Per / time.Duration(r.Count)
	if due.Add(step).Sub(now) > r.Per {
		l.m.Limited(kind)
		return false
	}
	if cost == 0 {
		return true
	}
	if len(l.paid) >= maxClients {
		l.forget(now)
	}
	l.paid[key] = due.Add(step * time.Duration(cost))
	return true
}

func (l *limiter) forget(now time.Time) {
	for k, due := range l.paid {
		if !due.After(now) {
			delete(l.paid, k)
		}
	}
	if len(l.paid) >= maxClients {
		clear(l.paid)
	}
}

// wait is what clients are told to wait: the shortest step of all limits, at least a second.
func (l *limiter) wait() time.Duration {
	shortest := time.Hour
	for _, r := range []Rate{l.o.AccountsPerAddress, l.o.OrdersPerAccount, l.o.FailedValidations} {
		if r.Count > 0 && r.Per > 0 {
			shortest = min(shortest, r.Per/time.Duration(r.Count))
		}
	}
	return max(shortest, time.Second)
}

func limited(what string, r Rate) *acme.Problem {
	return acme.NewProblem(acme.RateLimited, fmt.Sprintf("too many %s: %d in %v are possible", what, r.Count, r.Per))
}

func (l *limiter) newAccount(r *http.Request, now time.Time) *acme.Problem {
	if !l.take("account", network(r.RemoteAddr), l.o.AccountsPerAddress, 1, now) {
		return limited("new accounts from one address", l.o.AccountsPerAddress)
	}
	return nil
}

func (l *limiter) newOrder(account string, now time.Time) *acme.Problem {
	if !l.take("order", account, l.o.OrdersPerAccount, 1, now) {
		return limited("new orders of one account", l.o.OrdersPerAccount)
	}
	return nil
}

func (l *limiter) validation(account string, now time.Time) *acme.Problem {
	if !l.take("validation", account, l.o.FailedValidations, 0, now) {
		return limited("failed validations of one account", l.o.FailedValidations)
	}
	return nil
}

func (l *limiter) validated(account string, ok bool, now time.Time) {
	if !ok {
		l.take("validation", account, l.o.FailedValidations, 1, now)
	}
}

// network is the address of a client, or its /64: that is what one customer has of IPv6.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
