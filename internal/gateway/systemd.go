package gateway

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// firstInherited is the number of the first socket that systemd hands over (sd_listen_fds(3)).
const firstInherited = 3

// inheritedNumber finds the descriptor in what systemd says about them.
func inheritedNumber(name string, pid int, env func(string) string) (int, error) {
	if env("LISTEN_PID") != strconv.Itoa(pid) {
		return 0, fmt.Errorf("systemd:%s: systemd has handed no sockets to this process", name)
	}
	n, err := strconv.Atoi(env("LISTEN_FDS"))
	if err != nil || n < 1 || n > 1024 {
		return 0, fmt.Errorf("systemd:%s: systemd has handed over no sockets", name)
	}
	var names []string
	if all := env("LISTEN_FDNAMES"); all != "" {
		names = strings.Split(all, ":")
	}
	for i := range min(n, len(names)) {
		if names[i] == name {
			return firstInherited + i, nil
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < n {
		return firstInherited + i, nil
	}
	return 0, fmt.Errorf("systemd:%s: among the sockets from systemd (%s) there is none of that name", name, strings.Join(names, ", "))
}

// uptime is how long the machine has run, in microseconds, rounded up: what systemd wants to see behind its own time when
// a reload begins.
func uptime() int64 {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	word, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return 0
	}
	return int64(seconds*1e6) + 10_000
}

// What a supervisor is told.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
)

// Reloading says that a reload begins now.
func Reloading() string { return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", uptime()) }

// Notify tells systemd how we are (sd_notify(3)). Who was not started by it tells nobody.
func Notify(state string) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	if address[0] == '@' {
		address = "\x00" + address[1:] // an abstract socket
	}
	c, err := net.DialTimeout("unixgram", address, time.Second)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(state))
}
