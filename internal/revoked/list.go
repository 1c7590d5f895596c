package revoked

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// When lists are looked for again.
const (
	fileEvery   = time.Second // a file: whether it has changed
	againFirst  = time.Minute // after a failure; fetch remembers it for as long
	againLast   = 30 * time.Minute
	listAtMost  = time.Hour     // however long it holds: a CA may publish before it must
	largeAtMost = 6 * time.Hour // one of more than largeList bytes
	listAtLeast = 10 * time.Second
	largeList   = 4 << 20
	largeCount  = 1000           // entries
	unusedFor   = 24 * time.Hour // until what nobody asks for is no longer fetched
	maxSigners  = 16
)

// list is a CRL at an address, or a file with CRLs, as it changes.
type list struct {
	pool    *Pool
	place   string
	fetcher *fetch.Fetcher // nil: a file, or an address that must not be asked

	fetching turn // one at a time

	mu       sync.Mutex
	lists    []*crl.List         // the newest first
	signers  []*x509.Certificate // who may have signed: CAs of verified chains
	info     os.FileInfo         // of the file that was read
	due      time.Time
	used     time.Time
	pinned   int // checkers that it is written into
	failures int
	problem  string // why the last attempt failed; "": it did not
}

func isURL(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}

// listAt gives the list at an address in a certificate, made if it is new: then it is read from disk. Nil: there are too
// many.
func (p *Pool) listAt(place string, by *fetch.Fetcher) *list {
	now := p.o.Now()
	p.mu.Lock()
	l, ok := p.lists[place]
	if !ok {
		if len(p.lists) >= maxLists {
			p.mu.Unlock()
			return nil
		}
		l = &list{pool: p, fetching: make(turn, 1), place: place, fetcher: by, used: now}
		p.lists[place] = l
	}
	p.mu.Unlock()
	if !ok && isURL(place) {
		l.restore()
	}
	return l
}

// ownList gives a list that the operator named, and pins it. A file must be readable.
func (p *Pool) ownList(place string) (*list, error) {
	by := p.own
	if !isURL(place) {
		by = nil
	} else if u, err := url.Parse(place); err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s is no URL of a CRL", pki.Printable(place))
	}
	l := p.listAt(place, by)
	if l == nil {
		return nil, fmt.Errorf("there are more than %d CRLs", maxLists)
	}
	l.mu.Lock()
	l.pinned++
	if by != nil {
		l.fetcher = by // a certificate may have named it before
	}
	l.mu.Unlock()
	if by == nil {
		if err := l.read(); err != nil {
			l.unpin()
			return nil, err
		}
	}
	p.wake()
	return l, nil
}

func (l *list) unpin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinned--
	l.used = l.pool.o.Now()
}

// idle reports whether nobody wants the list any more.
func (l *list) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pinned == 0 && (now.Sub(l.used) > unusedFor || !isURL(l.place))
}

func (l *list) dueAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetcher == nil && isURL(l.place) {
		return time.Time{}
	}
	return l.due
}

// restore takes what is on disk, as if it had just been fetched; whether it still holds is judged as ever.
func (l *list) restore() {
	der := l.pool.disk.read("crl", l.place, fetch.MaxCRL)
	if der == nil {
		return
	}
	if parsed, err := crl.Parse(der); err == nil {
		warm(parsed)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lists, l.due = []*crl.List{parsed}, l.nextLocked(parsed)
	}
}

// read reads the file if it is another than before.
func (l *list) read() error {
	info, err := os.Stat(l.place)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.due = l.pool.o.Now().Add(fileEvery)
	same := l.info != nil && os.SameFile(l.info, info) && l.info.ModTime().Equal(info.ModTime()) && l.info.Size() == info.Size()
	l.mu.Unlock()
	if same {
		return nil
	}
	data, err := readLimited(l.place, maxListBytes)
	if err != nil {
		return err
	}
	parsed, err := parseLists(data)
	if err != nil {
		return &fs.PathError{Op: "read", Path: l.place, Err: err}
	}
	for _, one := range parsed {
		warm(one)
	}
	l.mu.Lock()
	l.lists, l.info, l.problem = parsed, info, ""
	l.mu.Unlock()
	l.pool.changed(nil)
	return nil
}

// warm searches a large list ahead, so that no handshake waits for its index to be made.
func warm(l *crl.List) {
	if l.Count < largeCount {
		return
	}
	for range 2 { // the first search walks through it, the second one makes the index
		l.FindNumber(new(big.Int), l.RawIssuer)
	}
}

// maxInFile bounds how many CRLs a file may hold.
const maxInFile = 256

// parseLists reads a CRL in DER, or those in a file in PEM.
func parseLists(data []byte) ([]*crl.List, error) {
	var all []*crl.List
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, err := crl.Parse(data)
		return []*crl.List{l}, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := crl.Parse(block.Bytes)
		if err != nil {
			return nil, err
		}
		if all = append(all, l); len(all) > maxInFile {
			return nil, fmt.Errorf("it holds more than %d CRLs", maxInFile)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no CRL")
	}
	slices.SortStableFunc(all, func(a, b *crl.List) int { return b.ThisUpdate.Compare(a.ThisUpdate) })
	return all, nil
}

// refresh brings the list up to date: the loop has found that it is due.
func (l *list) refresh(ctx context.Context) {
	l.mu.Lock()
	unused := l.pinned == 0 && l.pool.o.Now().Sub(l.used) > unusedFor
	l.mu.Unlock()
	if unused {
		return // the next one who asks fetches it
	}
	if isURL(l.place) {
		_ = l.fetch(ctx) // kept as the list's problem
		return
	}
	if err := l.read(); err != nil {
		l.fail(err)
	}
}

// fetch gets the list, unless somebody else has done so meanwhile.
func (l *list) fetch(ctx context.Context) error {
	l.mu.Lock()
	had, fetcher := slices.Clone(l.lists), l.fetcher
	l.mu.Unlock()
	if fetcher == nil {
		return errors.New(pki.Printable(l.place) + " is not asked")
	}
	if err := l.fetching.take(ctx); err != nil {
		return err
	}
	defer l.fetching.give()
	l.mu.Lock()
	done := !slices.Equal(had, l.lists)
	l.mu.Unlock()
	if done {
		return nil
	}
	der, err := fetcher.CRL(ctx, l.place)
	if err == nil {
		err = l.take(der)
	}
	if err != nil {
		l.fail(err)
	}
	return err
}

// take replaces the list by a newer one.
func (l *list) take(der []byte) error {
	parsed, err := crl.Parse(der)
	if err != nil {
		return fmt.Errorf("%s: %w", pki.Printable(l.place), err)
	}
	l.mu.Lock()
	signers, had := slices.Clone(l.signers), l.lists
	l.mu.Unlock()
	if err := signedByOneOf(parsed, signers, l.pool.o.Extra); err != nil {
		return fmt.Errorf("%s: %w", pki.Printable(l.place), err)
	}
	if len(had) > 0 && isOlder(parsed, had[0]) && signedByOneOf(had[0], signers, l.pool.o.Extra) == nil {
		return fmt.Errorf("%s: gives an older CRL than before, of %s", pki.Printable(l.place), stamp(parsed.ThisUpdate))
	}
	same := len(had) > 0 && bytes.Equal(had[0].Raw, parsed.Raw)
	if !same {
		warm(parsed)
	}
	l.mu.Lock()
	if l.due, l.failures, l.problem = l.nextLocked(parsed), 0, ""; !same {
		l.lists = []*crl.List{parsed}
	}
	l.mu.Unlock()
	if same {
		return nil
	}
	if err := l.pool.disk.write("crl", l.place, der); err != nil {
		l.pool.o.Log.Warn("a CRL cannot be kept on disk", "from", pki.Printable(l.place), "error", pki.Printable(err.Error()))
	}
	l.pool.changed(nil)
	return nil
}

// isOlder reports whether a list has been replaced by another one of the same kind.
func isOlder(l, than *crl.List) bool {
	if !bytes.Equal(l.RawIssuer, than.RawIssuer) || (l.Base == nil) != (than.Base == nil) {
		return false
	}
	if l.Number != nil && than.Number != nil && l.Number.Cmp(than.Number) != 0 {
		return l.Number.Cmp(than.Number) < 0
	}
	return l.ThisUpdate.Before(than.ThisUpdate)
}

// signedByOneOf says why a list does not count; nil as well if nobody is known who could have signed it.
func signedByOneOf(l *crl.List, signers, extra []*x509.Certificate) (err error) {
	for _, c := range slices.Concat(signers, extra) {
		if !sameIssuer(c, l) {
			continue
		}
		wrong := l.CheckSignature(c)
		if wrong == nil {
			return nil
		}
		err = cmp.Or(err, wrong)
	}
	if err == nil && len(signers) > 0 {
		return errors.New("the CRL is from an issuer whose certificate is not at hand")
	}
	return err
}

// fail notes why there is nothing new.
func (l *list) fail(err error) {
	text := pki.Printable(err.Error())
	l.mu.Lock()
	was := l.problem
	l.problem, l.due = text, l.pool.o.Now().Add(afterFailures(l.failures, againFirst, againLast))
	if !isURL(l.place) {
		l.due = l.pool.o.Now().Add(fileEvery)
	}
	l.failures++
	l.mu.Unlock()
	if was != text {
		l.pool.o.Log.Warn("a CRL cannot be brought up to date", "from", pki.Printable(l.place), "error", text)
	}
}

// afterFailures is how long to wait: twice as long each time, and not all at the same moment.
func afterFailures(n int, first, last time.Duration) time.Duration {
	d := min(first<<min(n, 16), last)
	return d + rand.N(d/8+1)
}

// nextLocked is when to ask for the list that follows another: at half of the time that it holds, so that there is time
// to try again.
func (l *list) nextLocked(c *crl.List) time.Time {
	most := listAtMost
	if len(c.Raw) > largeList {
		most = largeAtMost
	}
	return ahead(l.pool.o.Now(), c.ThisUpdate, c.NextUpdate, most)
}

// ahead is a moment around the middle of a time, or of what is left of it, but in most at the latest.
func ahead(now, from, to time.Time, most time.Duration) time.Time {
	if !to.After(now) {
		return now.Add(againFirst) // it holds no longer, or does not say how long: the next one may
	}
	half := to.Sub(from) / 2
	at := from.Add(half + rand.N(max(half/5, 1)) - half/10)
	if at.Before(now) {
		at = now.Add(to.Sub(now) / 4)
	}
	earliest, latest := now.Add(listAtLeast), now.Add(most-rand.N(most/10))
	if at.After(latest) {
		at = latest
	}
	if at.Before(earliest) {
		at = earliest
	}
	return at
}

// use gives what is at hand. signers are CAs of a verified chain, which may have signed it.
func (l *list) use(signers []*x509.Certificate) []*crl.List {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = l.pool.o.Now()
	for _, c := range signers {
		if len(l.signers) < maxSigners && !slices.ContainsFunc(l.signers, c.Equal) {
			l.signers = append(l.signers, l.pool.shared(c))
		}
	}
	return l.lists
}

// wantSoon lets the loop fetch a list that nobody waits for.
func (l *list) wantSoon() {
	l.mu.Lock()
	wanted := l.due.IsZero()
	if wanted {
		l.due = l.pool.o.Now()
	}
	l.mu.Unlock()
	if wanted {
		l.pool.wake()
	}
}

// trouble is why the last attempt failed; "": it did not.
func (l *list) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problem
}
