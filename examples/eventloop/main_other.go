//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "error: this example uses epoll, which only Linux has")
	os.Exit(3)
}
