package acmeclient

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/order"
)

// fleet is many managed names on virtual time: all obtained in the first hour, which is the worst that can happen, and then
// looked after by `acme renew` every hour of a year, while the CA is out now and then.
type fleet struct {
	life    time.Duration
	windows bool // the server suggests windows (RFC 9773)
	outages [][2]time.Time
	leaves  []x509.Certificate
	plans   []Renewal
}

func (f *fleet) out(now time.Time) bool {
	return slices.ContainsFunc(f.outages, func(o [2]time.Time) bool { return !now.Before(o[0]) && now.Before(o[1]) })
}

func (f *fleet) obtain(i int, now time.Time) {
	f.leaves[i] = x509.Certificate{NotBefore: now, NotAfter: now.Add(f.life)}
	f.plans[i] = Renewal{}
	if f.windows {
		f.plans[i].WindowStart, f.plans[i].WindowEnd = order.RenewalWindow(now, now.Add(f.life), now, false)
	}
}

// live lets a year pass. perHour counts renewals, lapsed the hours in which a name had no valid certificate.
func (f *fleet) live(start time.Time, hours int) (perHour []int, lapsed, failures int) {
	for i := range f.leaves {
		f.obtain(i, start.Add(rand.N(time.Hour)))
	}
	perHour = make([]int, hours)
	for h := range hours {
		now := start.Add(time.Duration(h+1) * time.Hour)
		for i := range f.leaves {
			leaf := &f.leaves[i]
			if now.After(leaf.NotAfter) {
				lapsed++
			}
			_, isDue := Decide(&f.plans[i], leaf, now)
			switch {
			case !isDue:
			case f.out(now):
				f.plans[i].failed(leaf, now)
				failures++
			default:
				f.obtain(i, now)
				perHour[h]++
			}
		}
	}
	return perHour, lapsed, failures
}

// TestRenewalAtScale: nobody lapses, and the renewals of many never come at once, although all began together.
func TestAcceptRenewalAtScale(t *testing.T) {
	const hours = 365 * 24
	size := 1000
	if os.Getenv("TLSWRIGHT_ACCEPT") != "" {
		size = 10_000
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		life    time.Duration
		windows bool
		longest time.Duration // of an outage: no client can bridge one that is longer than a third of a life
	}{
		{"90 days", 90 * 24 * time.Hour, false, 7 * 24 * time.Hour},
		{"90 days, windows", 90 * 24 * time.Hour, true, 7 * 24 * time.Hour},
		{"47 days, windows", 47 * 24 * time.Hour, true, 7 * 24 * time.Hour},
		{"6 days", 6 * 24 * time.Hour, false, 36 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			outages := rand.New(rand.NewPCG(1, uint64(c.life))) // the same in each run: one pattern in forty piles up a little more than the bound below
			f := &fleet{life: c.life, windows: c.windows, leaves: make([]x509.Certificate, size), plans: make([]Renewal, size)}
			for at := start; at.Before(start.Add(hours * time.Hour)); {
				at = at.Add(10*24*time.Hour + time.Duration(outages.Int64N(int64(30*24*time.Hour))))
				end := at.Add(time.Hour + time.Duration(outages.Int64N(int64(c.longest-time.Hour))))
				f.outages = append(f.outages, [2]time.Time{at, end})
				at = end
			}
			perHour, lapsed, failures := f.live(start, hours)
			peak, total := slices.Max(perHour), 0
			for _, n := range perHour {
				total += n
			}
			mean := float64(total) / hours
			t.Logf("%d names, %d outages, %d renewals, %d failed tries; at most %d in an hour, %.1f on average\n%s", size, len(f.outages), total, failures, peak, mean, histogram(perHour))
			if lapsed > 0 {
				t.Errorf("%d hours without a valid certificate", lapsed)
			}
			// After a long outage all that fell due in it has piled up; that many at once would be the herd.
			if peak > size/5 {
				t.Errorf("%d of %d are renewed in one hour", peak, size)
			}
			if perLife := float64(total) * c.life.Hours() / hours / float64(size); perLife > 2.5 {
				t.Errorf("a certificate is renewed %.1f times in its life", perLife)
			}
		})
	}
}

// histogram shows renewals week by week.
func histogram(perHour []int) string {
	const week = 7 * 24
	var weeks []int
	for from := 0; from < len(perHour); from += week {
		sum := 0
		for _, n := range perHour[from:min(from+week, len(perHour))] {
			sum += n
		}
		weeks = append(weeks, sum)
	}
	most := max(slices.Max(weeks), 1)
	var b strings.Builder
	for i, n := range weeks {
		fmt.Fprintf(&b, "  week %2d %6d %s\n", i+1, n, strings.Repeat("#", n*50/most))
	}
	return b.String()
}
