package main

import (
	"math"
	"testing"
)

func TestMediansAndRatios(t *testing.T) {
	for _, c := range []struct {
		numbers []float64
		want    float64
	}{{[]float64{3}, 3}, {[]float64{5, 1, 3}, 3}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.numbers); got != c.want {
			t.Errorf("the median of %v is %v, not %v", c.numbers, got, c.want)
		}
	}
	base := samples{micros: []float64{100, 200, 400}}
	if got := ratio(samples{micros: []float64{50, 100, 800}}, base); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("ratio %v", got) // rounds are compared with themselves: 0.5, 0.5, 2
	}
	if got := ratio(samples{}, base); got != 0 {
		t.Errorf("ratio of nothing %v", got)
	}
}

func TestRequestsAreToldApart(t *testing.T) {
	for text, want := range map[string]int{"": 0, "GET / HTTP/1.1\r\n": 0, request: len(request), request + "GET": len(request)} {
		if got := headerEnd([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestTheHarnessKnowsItsServers keeps names and configurations together; it starts none of the programs.
func TestTheHarnessKnowsItsServers(t *testing.T) {
	seen := map[string]bool{}
	o := &options{}
	if err := o.compile(".", "."); err != nil {
		t.Fatal(err)
	}
	found, missing := servers(o)
	for _, s := range found {
		if seen[s.name] || s.start == nil {
			t.Errorf("%q stands there twice, or cannot be started", s.name)
		}
		seen[s.name] = true
	}
	if !seen["go-term"] || !seen["tlsnet-term"] || len(missing) == 0 {
		t.Errorf("found %v, missing %v", seen, missing)
	}
}
