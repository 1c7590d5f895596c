package main

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestEachEndIsChargedForItsOwnTurns has a clock that only moves when an end works, so that what each is charged with is
// known exactly.
func TestEachEndIsChargedForItsOwnTurns(t *testing.T) {
	var now time.Duration // only ever touched by who has the turn
	work := func(d time.Duration) { now += d }
	say := func(nc net.Conn, d time.Duration) error {
		work(d)
		_, err := nc.Write([]byte{1})
		return err
	}
	hear := func(nc net.Conn) error {
		_, err := io.ReadFull(nc, make([]byte, 1))
		return err
	}
	d := newDuo(func() time.Duration { return now }, 0)
	spent, err := d.run(func(nc net.Conn) error {
		err := errors.Join(say(nc, 1), say(nc, 10), hear(nc))
		work(100)
		return err
	}, func(nc net.Conn) error {
		work(1000)
		err := errors.Join(hear(nc), hear(nc), say(nc, 10000))
		work(100000)
		return err
	})
	if want := (parts{111, 111000}); err != nil || spent != want {
		t.Errorf("%v, want %v (%v)", spent, want, err)
	}
}

func TestADuoEndsWhereOneEndFails(t *testing.T) {
	failure := errors.New("no")
	read := func(nc net.Conn) error {
		_, err := nc.Read(make([]byte, 1))
		return err
	}
	fail := func(net.Conn) error { return failure }
	for name, ends := range map[string][2]func(net.Conn) error{"client": {fail, read}, "server": {read, fail}} {
		if _, err := newDuo(cpuTime, 0).run(ends[0], ends[1]); !errors.Is(err, failure) || !errors.Is(err, io.EOF) {
			t.Errorf("the %s fails: %v", name, err)
		}
	}
}

// TestBothEndsTogetherAreThePair compares, in CPU time of one and the same run, what the ends are charged with and what the
// process used.
func TestBothEndsTogetherAreThePair(t *testing.T) {
	c, err := newCertificates()
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, v := range endVariants() {
		s, err := handshakeEnds(c, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range s.sides {
			start := cpuTime()
			spent, err := side.timed(40)
			whole := cpuTime() - start
			if err != nil {
				t.Fatalf("%s, %s: %v", s.name, side.name, err)
			}
			share := spent.sum().Seconds() / whole.Seconds()
			t.Logf("%s, %s: client %v, server %v, %.3f of the process", s.name, side.name, spent[clientEnd]/40, spent[serverEnd]/40, share)
			if spent[clientEnd] <= 0 || spent[serverEnd] <= 0 || share > 1 || share < 0.85 {
				t.Errorf("%s, %s: the ends took %v of %v", s.name, side.name, spent, whole)
			}
		}
	}
}
