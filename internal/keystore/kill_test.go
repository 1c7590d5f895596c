//go:build unix

package keystore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// victimFolder is set in the child process that the test below kills.
const victimFolder = "TLSWRIGHT_KEYSTORE_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimFolder); dir != "" {
		if err := beVictim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // only a kill ends it well
	}
	os.Exit(m.Run())
}

// beVictim writes keys, live folders and CAs without end and prints a line at
// every step, so that its killer can choose the moment.
func beVictim(dir string) error {
	w := writer{at: func(s step, path string) error {
		_, err := fmt.Println(s, path)
		return err
	}}
	id, err := LoadIdentity(filepath.Join(dir, "in", FullChainFile), filepath.Join(dir, "in", KeyFile))
	if err != nil {
		return err
	}
	for {
		if err := w.writeKey(filepath.Join(dir, "keys", "key.pem"), id.Key, nil, ""); err != nil {
			return err
		}
		if err := w.writeLive(filepath.Join(dir, "live"), id.Chain[0], id.Chain[1:], id.Key); err != nil {
			return err
		}
		home, err := os.MkdirTemp(dir, "home-")
		if err != nil {
			return err
		}
		if _, err := w.createCA(home, CAOptions{KeyType: pki.Ed25519}, time.Now()); err != nil {
			return err
		}
	}
}

func TestAKilledProcessLeavesNoHalfWrittenKey(t *testing.T) {
	dir := t.TempDir()
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	if err := WriteLive(filepath.Join(dir, "in"), l.Chain[0], l.Chain[1:], l.Key); err != nil {
		t.Fatal(err)
	}
	keyFile, live := filepath.Join(dir, "keys", "key.pem"), filepath.Join(dir, "live")
	if err := errors.Join(WriteKey(keyFile, l.Key), WriteLive(live, l.Chain[0], l.Chain[1:], l.Key)); err != nil {
		t.Fatal(err)
	}
	whole, none := 0, 0
	for round := range 40 {
		killAfter(t, dir, 1+round*2)
		if key, err := ReadKey(keyFile); err != nil || !pki.SameKey(key.Public(), l.Key.Public()) {
			t.Fatalf("round %d: key: %v", round, err)
		}
		if _, err := LoadIdentity(filepath.Join(live, FullChainFile), filepath.Join(live, KeyFile)); err != nil {
			t.Fatalf("round %d: live folder: %v", round, err)
		}
		homes, err := filepath.Glob(filepath.Join(dir, "home-*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, home := range homes {
			switch _, err := OpenCA(home); {
			case err == nil:
				whole++
			case errors.Is(err, ErrNoCA):
				none++
				if _, err := CreateCA(home, CAOptions{KeyType: pki.Ed25519}, time.Now()); err != nil {
					t.Fatalf("round %d: what the dead left is in the way: %v", round, err)
				}
			default:
				t.Fatalf("round %d: half a CA: %v", round, err)
			}
			if err := os.RemoveAll(home); err != nil {
				t.Fatal(err)
			}
		}
	}
	if whole == 0 || none == 0 {
		t.Errorf("%d whole CAs and %d interrupted ones: the kills did not fall where they test something", whole, none)
	}
}

// killAfter starts the victim and kills it (SIGKILL) as soon as it reports its
// n-th step; by then it is somewhere between that step and a later one.
func killAfter(t *testing.T, dir string, n int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range n {
		if !lines.Scan() {
			t.Error("the victim ended by itself")
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("the victim ended with %v", err)
	}
}
