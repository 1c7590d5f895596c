//go:build unix

package authority

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// victimHome is set in the child process that the tests below kill.
const victimHome = "TLSWRIGHT_AUTHORITY_VICTIM"

func TestMain(m *testing.M) {
	if home := os.Getenv(victimHome); home != "" {
		if err := beVictim(home); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // only a kill ends it well
	}
	os.Exit(m.Run())
}

// confessor is a key that says what it is about to sign.
type confessor struct {
	crypto.Signer
	say func(format string, args ...any)
}

// SignMessage gets the whole certificate or CRL to be, not its hash.
func (c confessor) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.say("signing %x", msg)
	return crypto.SignMessage(c.Signer, rand, msg, opts)
}

// beVictim issues, revokes and makes CRLs without end, several at once. It says what it signs before it does, and what it
// hands out after it has it, a line each.
func beVictim(home string) error {
	ctx := context.Background()
	a, err := OpenHome(ctx, home, HomeOptions{})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := fmt.Printf(format+"\n", args...); err != nil {
			os.Exit(2)
		}
	}
	a.Issuer.Key = confessor{a.Issuer.Key, say}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	for worker := range 6 {
		go func() {
			for n := 0; ; n++ {
				if err := misdeed(ctx, a, key.Public(), worker, n, say); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func misdeed(ctx context.Context, a *Authority, key crypto.PublicKey, worker, n int, say func(string, ...any)) error {
	if worker == 0 {
		der, err := a.CRL(ctx, CRLOptions{Delta: n%3 == 1})
		if errors.Is(err, store.ErrOldNumber) {
			return nil // another process was faster
		}
		if err != nil {
			return err
		}
		list, err := crl.Parse(der)
		if err != nil {
			return err
		}
		say("crl %v", list.Number)
		return nil
	}
	name := fmt.Sprintf("host-%d-%d.test", worker, n)
	c, err := a.Issue(ctx, pki.Request{Profile: pki.ProfileServer, CommonName: name, SANs: []string{name}, Key: key})
	if err != nil {
		return err
	}
	say("issued %x", c.Raw)
	if n%3 == 0 {
		if err := a.Revoke(ctx, c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
			return err
		}
		say("revoked %s", SerialText(c.SerialNumber))
	}
	return nil
}

// testimony is what the victims said before they died.
type testimony struct {
	issued  map[string][]byte // DER by serial
	signing map[string]bool   // serials that a signature was begun for
	revoked map[string]bool
	crl     *big.Int // the greatest number
	twice   []string
}

func (w *testimony) hear(line string) error {
	what, value, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Errorf("not a testimony: %q", line)
	}
	if what == "crl" {
		n, ok := new(big.Int).SetString(value, 10)
		if !ok {
			return fmt.Errorf("not a number: %q", value)
		}
		if n.Cmp(w.crl) > 0 {
			w.crl = n
		}
		return nil
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		return err
	}
	switch what {
	case "issued":
		c, err := x509.ParseCertificate(b)
		if err != nil {
			return err
		}
		serial := string(c.SerialNumber.Bytes())
		if w.issued[serial] != nil {
			w.twice = append(w.twice, SerialText(c.SerialNumber))
		}
		w.issued[serial] = b
	case "revoked":
		w.revoked[string(b)] = true
	case "signing":
		if serial, ok := serialOf(b); ok {
			if w.signing[serial] {
				w.twice = append(w.twice, fmt.Sprintf("%x", serial))
			}
			w.signing[serial] = true
		}
	}
	return nil
}

// serialOf takes the serial number out of a TBSCertificate; a TBSCertList has none.
func serialOf(tbs []byte) (string, bool) {
	// SEQUENCE, [0] { INTEGER 2 }, INTEGER serial: the lengths before are those of certificates below 64 KB.
	for _, header := range []int{2, 3, 4} {
		if len(tbs) > header+7 && tbs[header] == 0xa0 && tbs[header+5] == 0x02 {
			end := header + 7 + int(tbs[header+6])
			return string(new(big.Int).SetBytes(tbs[header+7 : end]).Bytes()), true
		}
	}
	return "", false
}

// killRounds lets victims work in one home and kills them at a random moment, round after round. After each, what they
// had handed out must be on file.
func killRounds(t *testing.T, rounds int) {
	home := newHome(t)
	w := &testimony{issued: make(map[string][]byte), signing: make(map[string]bool), revoked: make(map[string]bool), crl: new(big.Int)}
	random := rand.New(rand.NewPCG(4, uint64(rounds)))
	lost := 0
	for round := range rounds {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 1 + round%2 { // in every second round two processes share the home
			n := 1 + random.IntN(150)
			wg.Go(func() { killAfter(t, home, n, &mu, w) })
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		lost += autopsy(t, home, w, round == rounds-1)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d kills: %d certificates handed out, %d revoked, last CRL number %v, %d serial numbers found lost", rounds, len(w.issued), len(w.revoked), w.crl, lost)
	if lost == 0 || len(w.issued) == 0 || len(w.revoked) == 0 {
		t.Error("the kills did not fall where they test something")
	}
}

// killAfter starts a victim and kills it (SIGKILL) as soon as it has said n lines; by then it is somewhere further.
func killAfter(t *testing.T, home string, n int, mu *sync.Mutex, w *testimony) {
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimHome+"="+home)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	// The last line may be cut: a line counts with its end only.
	lines := bufio.NewReaderSize(out, 1<<16)
	for heard := 0; ; heard++ {
		if heard == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			if heard < n {
				t.Error("the victim ended by itself")
			}
			break
		}
		mu.Lock()
		err = w.hear(strings.TrimSuffix(line, "\n"))
		mu.Unlock()
		if err != nil {
			t.Error(err)
			break
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("the victim ended with %v", err)
	}
}

// autopsy opens the home that victims left and compares it with what they said.
func autopsy(t *testing.T, home string, w *testimony, thorough bool) (lost int) {
	t.Helper()
	a, err := OpenHome(t.Context(), home, HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, s := range w.twice {
		t.Errorf("serial number %s came twice", s)
	}
	onFile := make(map[string]store.State)
	for r, err := range a.Search(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		serial := string(r.Serial)
		if _, twice := onFile[serial]; twice {
			t.Errorf("serial %x is on file twice", serial)
		}
		onFile[serial] = r.State
		switch der := w.issued[serial]; {
		case r.State == store.StateReserved:
			t.Errorf("serial %x is still open", serial)
		case der != nil && string(der) != string(r.DER):
			t.Errorf("serial %x: another certificate is on file (%v)", serial, r.State)
		}
	}
	for serial := range w.issued {
		if s := onFile[serial]; s != store.StateIssued && s != store.StateRevoked {
			t.Errorf("serial %x was handed out and is %v", serial, s)
		}
	}
	for serial := range w.signing {
		if _, ok := onFile[serial]; !ok {
			t.Errorf("serial %x was signed and is not on file", serial)
		}
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	if thorough {
		if err := a.Store.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	list := complete(t, a, CRLOptions{})
	if list.Number.Cmp(w.crl) <= 0 {
		t.Errorf("CRL number %v after %v", list.Number, w.crl)
	}
	w.crl = list.Number
	for serial := range w.revoked {
		if _, listed := list.Find([]byte(serial), a.Issuer.Certificate.RawSubject); !listed {
			t.Errorf("serial %x was revoked and is not on the CRL", serial)
		}
	}
	return len(a.Lost())
}

func TestAKilledAuthorityLosesNothing(t *testing.T) {
	killRounds(t, 10)
}

func TestAcceptKilledAt200Moments(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("200 kills take minutes: make accept")
	}
	killRounds(t, 200)
}
