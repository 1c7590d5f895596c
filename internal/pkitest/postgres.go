//go:build unix

package pkitest

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver

	"github.com/tlswright/tlswright/internal/freeport"
)

// Postgres runs a PostgreSQL server of the test's own, on a free port of loopback and with a new folder, until the test ends,
// and gives the URL of a database on it: "…?sslmode=disable", to which settings may be added. Without the programs the test
// is skipped. durable has every commit reach the disk, as it should outside of tests.
func Postgres(t testing.TB, durable bool) string {
	t.Helper()
	server, initdb := postgresProgram(t, "postgres"), postgresProgram(t, "initdb")
	dir, err := os.MkdirTemp("", "tlswright-postgres-") // PostgreSQL gives up root, and must get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, as := filepath.Join(dir, "data"), postgresUser(t)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(data, 0o700)); err != nil {
		t.Fatal(err)
	}
	if as != nil {
		if err := os.Chown(data, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as, Setpgid: true}
		return cmd
	}
	if out, err := run(initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	fsync := "fsync=off"
	if durable {
		fsync = "fsync=on"
	}
	for try := range 5 { // a port that was free may be taken by the time that it is wanted
		time.Sleep(time.Duration(try) * 200 * time.Millisecond)
		port, err := freeport.Number()
		if err != nil {
			t.Fatal(err)
		}
		log := &strings.Builder{}
		cmd := run(server, "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", fsync, "-c", "shared_buffers=64MB")
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		address := "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"
		if answers(address, data, ended) {
			t.Cleanup(func() { stopPostgres(cmd, ended) })
			return address
		}
		stopPostgres(cmd, ended)
		t.Log(log.String())
	}
	t.Fatal("PostgreSQL does not start")
	return ""
}

// stopPostgres ends the server, connections or not.
func stopPostgres(cmd *exec.Cmd, ended <-chan struct{}) {
	_ = cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
}

// answers waits until the server does, or has ended. Another one may have got the port first: it has other data.
func answers(address, data string, ended <-chan struct{}) bool {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if db, err := sql.Open("pgx", address); err == nil {
			var its string
			err = db.QueryRow("SHOW data_directory").Scan(&its)
			_ = db.Close()
			if err == nil && its == data {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// postgresProgram finds a program where Debian keeps PostgreSQL's.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1]
	}
	return Program(t, name)
}

// postgresUser is who the server runs as: not root, which it refuses.
func postgresUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
