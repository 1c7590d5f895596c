// Command cold measures how long servers take from their start to their first answer: the process is started, asked until
// a URL answers with 200, and ended, as often as it is told. Several command lines take turns in one run, so that whatever
// else the machine does falls on all of them; what counts is the median, and the least, which the machine disturbed least.
//
// It knows nothing of what it starts but the URL: {port} in a command line and its URL is a free port. Certificates are not
// verified.
//
//	go run ./bench/cold -n 30 -url https://127.0.0.1:{port}/acme/directory \
//	    "./tlswright --home /tmp/home ca serve -q --listen 127.0.0.1:{port} --http 127.0.0.1:0"
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
)

// Bounds of one start.
const (
	patience = 30 * time.Second
	pause    = 200 * time.Microsecond // between two attempts to connect
)

func main() {
	n := flag.Int("n", 30, "how often each is started")
	url := flag.String("url", "https://127.0.0.1:{port}/acme/directory", "what must answer with 200")
	flag.Parse()
	if err := run(*n, *url, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(n int, url string, lines []string) error {
	if len(lines) == 0 || n < 1 {
		return errors.New("which command lines?")
	}
	took := make([][]time.Duration, len(lines))
	processor := make([][]time.Duration, len(lines))
	for range n {
		for i, line := range lines {
			wall, cpu, err := start(line, url)
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			took[i], processor[i] = append(took[i], wall), append(processor[i], cpu)
		}
	}
	for i, line := range lines {
		slices.Sort(took[i])
		slices.Sort(processor[i])
		fmt.Printf("%s\n  to the first answer: least %.1f ms, median %.1f ms, most %.1f ms; CPU of its whole life: median %.1f ms\n", line,
			millis(took[i][0]), millis(took[i][n/2]), millis(took[i][n-1]), millis(processor[i][n/2]))
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// start runs one process until it has answered.
func start(line, url string) (wall, cpu time.Duration, err error) {
	port, err := freeport.Number()
	if err != nil {
		return 0, 0, err
	}
	words := strings.Fields(strings.ReplaceAll(line, "{port}", port))
	url = strings.ReplaceAll(url, "{port}", port)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	err = answers(ctx, "127.0.0.1:"+port, url)
	wall = time.Since(begun)
	err = errors.Join(err, cmd.Process.Signal(os.Interrupt))
	var ended *exec.ExitError // how it ends is its own business
	if waited := cmd.Wait(); waited != nil && !errors.As(waited, &ended) {
		err = errors.Join(err, waited)
	}
	return wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// answers asks until there is a good answer.
func answers(ctx context.Context, addr, url string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for ctx.Err() == nil {
		// A bare connection first: a refused one costs the machine less than a request that fails.
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			response, err := client.Do(req)
			if err == nil {
				_ = response.Body.Close()
				if response.StatusCode == http.StatusOK {
					return nil
				}
				return errors.New("it answers " + strconv.Itoa(response.StatusCode))
			}
		}
		time.Sleep(pause)
	}
	return errors.New("there was no answer")
}
