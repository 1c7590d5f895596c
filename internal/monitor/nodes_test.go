//go:build unix

package monitor

import (
	"crypto/tls"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// cluster is several processes that share a database in PostgreSQL, and the servers they look at.
type cluster struct {
	*lab
	address string
	db      *sql.DB
	every   time.Duration
	lease   time.Duration
	servers map[string]*server
}

func newCluster(t *testing.T, targets int, every, lease time.Duration) *cluster {
	t.Helper()
	c := &cluster{lab: newLab(t), address: pkitest.Postgres(t, false), every: every, lease: lease, servers: make(map[string]*server)}
	var err error
	if c.db, err = sql.Open("pgx", c.address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.db.Close() })
	if c.h, err = history.Open(t.Context(), c.address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.h.Close() })
	roots, leaf := c.roots(), c.leaf(pkitest.P256, 60*day)
	for i := range targets {
		name := fmt.Sprintf("target %d", i)
		s := c.serverAt(fmt.Sprintf("127.0.0.%d", 1+i%200), leaf)
		if i%8 == 0 { // a slow one, so that a node that is killed has something in hand
			s.set(func(t *tls.Config) {
				t.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
					time.Sleep(every / 4)
					return nil, nil
				}
			})
		}
		c.servers[name] = s
		w := c.watched(name, s.address)
		w.CA, w.Schedule.Every, w.Schedule.Timeout = []string{roots}, every, 20*time.Second
	}
	return c
}

func (c *cluster) node(name string) *process { return c.process(name, c.address, c.lease) }

// leader is the node that leads, nil as long as it is none of these.
func (c *cluster) leader(nodes ...*process) *process {
	c.Helper()
	var id string
	if err := c.db.QueryRow(`SELECT leader_id FROM river_leader WHERE expires_at > now()`).Scan(&id); err != nil {
		return nil
	}
	for _, n := range nodes {
		if n.holder == id {
			return n
		}
	}
	return nil
}

// awaitLeader waits until one of these leads.
func (c *cluster) awaitLeader(nodes ...*process) (leader *process) {
	c.Helper()
	eventually(c.T, time.Minute, "somebody leads", func() bool {
		leader = c.leader(nodes...)
		return leader != nil
	})
	return leader
}

// looks are the times of the looks that were filed, by target.
func (c *cluster) looks() map[string][]time.Time {
	c.Helper()
	rows, err := c.db.Query(`SELECT target, at FROM looks ORDER BY target, at`)
	if err != nil {
		c.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string][]time.Time)
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			c.Fatal(err)
		}
		all[name] = append(all[name], time.UnixMilli(at))
	}
	return all
}

// awaitLooks waits until every target was looked at so often since a time, and tells how long that took.
func (c *cluster) awaitLooks(n int, since time.Time) time.Duration {
	c.Helper()
	return eventually(c.T, 2*time.Minute, fmt.Sprintf("every target is looked at %d times", n), func() bool {
		all := c.looks()
		for name := range c.servers {
			count := 0
			for _, at := range all[name] {
				if at.After(since) {
					count++
				}
			}
			if count < n {
				return false
			}
		}
		return true
	})
}

// gaps are the times between looks at the same target since a time, shortest first. The time since the last look is a gap
// only if it is longer than usual.
func (c *cluster) gaps(since time.Time) []time.Duration {
	c.Helper()
	var gaps []time.Duration
	for _, times := range c.looks() {
		for i := range times[:len(times)-1] {
			if times[i+1].After(since) {
				gaps = append(gaps, times[i+1].Sub(times[i]))
			}
		}
	}
	slices.Sort(gaps)
	return gaps
}

// noneTwice checks that nothing was looked at twice in a period, as it was filed and as the servers saw it. broken is how
// many looks were broken off by kills.
func (c *cluster) noneTwice(broken int) {
	c.Helper()
	gaps := c.gaps(time.Time{})
	// A look is filed when it ends, and the next one counts from there, a twentieth sooner at the soonest.
	if least := c.every * 9 / 10; gaps[0] < least {
		c.Errorf("a target was looked at again after %v, every %v is asked", gaps[0], c.every)
	}
	seen, filed := 0, 0
	for name, times := range c.looks() {
		filed += len(times)
		seen += int(c.servers[name].looks.Load())
	}
	// A look makes two connections, and the first one asks for other kinds of keys as well.
	if most := 2*filed + 4*len(c.servers) + 2*broken; seen > most {
		c.Errorf("%d looks were filed, the servers saw %d connections", filed, seen)
	}
	c.Logf("%d looks filed, %d connections seen; between looks %v to %v, median %v", filed, seen, gaps[0], gaps[len(gaps)-1], gaps[len(gaps)/2])
}

// shares are how many looks each node has filed: the holder is gone by then, so its jobs are counted.
func (c *cluster) shares() map[string]int {
	c.Helper()
	rows, err := c.db.Query(`SELECT attempted_by[array_upper(attempted_by, 1)], SUM(jsonb_array_length(args->'targets')) FROM river_job
		WHERE kind = 'tlswright_look' AND attempted_by IS NOT NULL GROUP BY 1`)
	if err != nil {
		c.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]int)
	for rows.Next() {
		var node string
		var n int
		if err := rows.Scan(&node, &n); err != nil {
			c.Fatal(err)
		}
		all[node] = n
	}
	return all
}

// Two nodes share the work; when one is killed, the other takes over what it had in hand.
func TestTwoNodesShareTheWork(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 40, time.Second, 3*time.Second)
	a, b := c.node("a"), c.node("b")
	c.awaitLooks(2, time.Time{})
	var shares map[string]int
	eventually(t, time.Minute, "both have their share of the work", func() bool {
		shares = c.shares()
		return shares[a.holder] > 0 && shares[b.holder] > 0
	})
	leader := c.awaitLeader(a, b)
	other := a
	if leader == a {
		other = b
	}
	other.kill()
	killed := time.Now()
	healed := c.awaitLooks(1, killed)
	c.noneTwice(len(c.servers))
	t.Logf("shares %v; %v after the kill every target had been looked at again", shares, healed.Round(time.Millisecond))
	if err := leader.end(); err != nil {
		t.Errorf("the other one ended with %v", err)
	}
	var held int
	if err := c.db.QueryRow(`SELECT COUNT(*) FROM targets WHERE holder = $1`, leader.holder).Scan(&held); err != nil || held > 0 {
		t.Errorf("a node that has ended in order holds %d targets, %v", held, err)
	}
}

// Three nodes, of which the leader is killed, and then another one, with the times of real life.
func TestAcceptThreeNodes(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`minutes of work and kills: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	c := newCluster(t, 300, 5*time.Second, 0)
	nodes := []*process{c.node("a"), c.node("b"), c.node("c")}
	c.awaitLooks(6, time.Time{})
	t.Logf("shares: %v", c.shares())
	usual := c.gaps(time.Time{})
	t.Logf("between looks, every %v: 99 of 100 within %v, all within %v", c.every, usual[len(usual)*99/100], usual[len(usual)-1])

	for _, which := range []string{"leader", "follower"} {
		leader := c.awaitLeader(nodes...)
		victim := leader
		if which == "follower" {
			victim = nodes[(slices.Index(nodes, leader)+1)%len(nodes)]
		}
		victim.kill()
		nodes = slices.DeleteFunc(nodes, func(p *process) bool { return p == victim })
		killed := time.Now()
		healed := c.awaitLooks(1, killed)
		c.awaitLooks(3, killed)
		gaps := c.gaps(killed)
		t.Logf("%s killed: every target looked at again after %v; longest gap %v", which, healed.Round(time.Millisecond), gaps[len(gaps)-1])
		if healed > time.Minute || gaps[len(gaps)-1] > time.Minute+c.every {
			t.Errorf("the death of the %s was healed after %v", which, healed)
		}
	}
	c.noneTwice(2 * 200)

	// All connections are cut, as when the database is started anew.
	if _, err := c.db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()`); err != nil {
		t.Error(err)
	}
	cut := time.Now()
	c.awaitLooks(2, cut)
	t.Logf("connections cut: every target looked at twice after %v", time.Since(cut).Round(time.Millisecond))
	if err := nodes[0].end(); err != nil {
		t.Error(err)
	}
}

// A leader that is frozen, as a virtual machine is that moves, and wakes up when another one leads, files nothing of what it
// had in hand.
func TestAcceptAFrozenLeader(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a minute of waiting: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	c := newCluster(t, 80, 2*time.Second, 3*time.Second)
	a, b := c.node("a"), c.node("b")
	c.awaitLooks(2, time.Time{})
	leader := c.awaitLeader(a, b)
	other := a
	if leader == a {
		other = b
	}
	if err := leader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	if next := c.awaitLeader(other); next != other {
		t.Fatal("nobody else leads")
	}
	c.awaitLooks(2, time.Now())
	if err := leader.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	t.Logf("frozen for %v", time.Since(frozen).Round(time.Millisecond))
	c.awaitLooks(4, time.Now())
	c.noneTwice(len(c.servers))
	for _, n := range []*process{a, b} {
		if err := n.end(); err != nil {
			t.Error(err)
		}
	}
}

// A node that dies when a message has arrived and it is not noted yet has it sent again, by another node, with the same
// identity.
func TestAcceptAlertsAtLeastOnce(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a minute of waiting: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
	c := newCluster(t, 5, 5*time.Second, 0)
	nodes := make(map[string]*process)
	var mu sync.Mutex
	var killed time.Time
	box := newInbox(t, func(a arrival) {
		mu.Lock()
		defer mu.Unlock()
		if !killed.IsZero() {
			return
		}
		for name, n := range nodes {
			if a.Link == "http://"+name+".example/" {
				n.kill()
				killed = time.Now()
			}
		}
	})
	c.c.Channels = []config.Channel{{Name: "hook", Kind: "webhook", URL: box.URL}}
	ending := c.server(c.leaf(pkitest.P256, 20*day))
	w := c.watched("ending", ending.address)
	w.CA, w.Schedule.Every = c.c.Targets[0].CA, c.every
	mu.Lock()
	for _, name := range []string{"a", "b", "c"} {
		nodes[name] = c.node(name)
	}
	mu.Unlock()
	eventually(t, 2*time.Minute, "the message comes again", func() bool { return len(box.all()) >= 2 })
	got := box.all()
	t.Logf("killed %v after the message, which came again after %v", killed.Sub(got[0].At).Round(time.Millisecond), got[1].At.Sub(got[0].At).Round(time.Millisecond))
	if got[0].Key == "" || got[0].Key != got[1].Key || got[0].Link == got[1].Link || got[1].At.Sub(killed) > time.Minute {
		t.Errorf("first %+v\nthen %+v", got[0], got[1])
	}
	waiting := eventually(t, time.Minute, "it is noted", func() bool {
		n, err := c.h.Waiting(t.Context())
		return err == nil && len(n) == 0
	})
	if n := len(box.all()); n != 2 {
		t.Errorf("%d messages, %v later", n, waiting)
	}
}
