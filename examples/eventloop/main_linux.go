package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(3)
	}
}

// run is the program without its process. It returns when there is nothing more to do: for a server never.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("eventloop", flag.ContinueOnError)
	listen := flags.String("listen", "", "serve on this `address`")
	connect := flags.String("connect", "", "connect to this `address`")
	pin := flags.String("pin", "", "client: the SHA-256 of the server's certificate, in hex")
	count := flags.Int("connections", 1000, "client: how many")
	hold := flags.Bool("hold", false, "client: hold the connections until standard input ends")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if (*listen == "") == (*connect == "") {
		return errors.New("say -listen or -connect")
	}
	addr, err := netip.ParseAddrPort(*listen + *connect)
	if err != nil || !addr.Addr().Is4() {
		return fmt.Errorf("%s: want an IPv4 address and a port", *listen+*connect)
	}
	l, err := newLoop(out)
	if err != nil {
		return err
	}
	defer l.close()
	if *listen != "" {
		return serve(l, addr)
	}
	return load(l, addr, *pin, *count, *hold)
}
