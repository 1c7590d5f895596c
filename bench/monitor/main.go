// Command monitor measures the monitor against a farm of TLS servers of its own on 127.0.0.0/8, which run in a process of
// their own: a single check of healthy ones by the program as users start it, and the engine over a while, with servers that
// are dead, slow or wrong among them. No number here passes or fails anything; the tests beside it judge states and lag.
//
//	go build -o tlswright ./cmd/tlswright
//	go run ./bench/monitor -tlswright ./tlswright            monitor check of 1,000
//	go run ./bench/monitor -run 5m                           the engine
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// options are the flags.
type options struct {
	n         int
	healthy   bool
	run       time.Duration
	tlswright string
	role, dir string
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 1000, "how many servers")
	flag.BoolVar(&o.healthy, "healthy", false, "with -run: nothing is wrong with any of them")
	flag.DurationVar(&o.run, "run", 0, "let the engine watch for so long, each target every 10 to 60 seconds")
	flag.StringVar(&o.tlswright, "tlswright", "", "our program (go build ./cmd/tlswright), for checks")
	flag.StringVar(&o.role, "role", "", "internal: what to be instead (farm, engine)")
	flag.StringVar(&o.dir, "dir", "", "internal: folder of a role")
	flag.Parse()
	if err := o.start(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (o *options) start() (err error) {
	switch o.role {
	case "farm":
		return runFarm(o)
	case "engine":
		return runEngine(o)
	}
	if o.dir, err = os.MkdirTemp("", "tlswright-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	if o.run > 0 {
		return watchFarm(o)
	}
	return checks(o)
}

// runFarm serves until its input ends.
func runFarm(o *options) error {
	list := mix(o.n)
	if o.healthy {
		list = allHealthy(o.n)
	}
	f, err := newFarm(o.dir, list, 200*time.Millisecond)
	if err != nil {
		return err
	}
	if err := f.save(); err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return f.close()
}

// say writes a value as one line for who started this process.
func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
