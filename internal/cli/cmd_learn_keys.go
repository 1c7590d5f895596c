package cli

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/trace"
	"github.com/tlswright/tlswright/wire"
)

func newLearnKeys(a *app) *cobra.Command {
	return newLiveLesson(a, liveLesson{
		word: "keys",
		long: `A lesson on the key schedule of TLS 1.3, with the values of a connection that
was just made: what goes in, what comes out, what each key is for; and one step
to compute by hand with OpenSSL. The secrets of a HOST stay hidden without
--secrets.`,
		write: writeKeysLesson,
		next: []string{
			"tlswright connect --trace=html --secrets -o run.html HOST",
			"tlswright connect --trace=pcapng --secrets -o run.pcapng HOST",
			"tlswright learn ciphers",
		},
	}, "A lesson on the key schedule, with the keys of this run",
		"  tlswright learn keys --page 5\n  tlswright learn keys example.com --secrets")
}

// The names of secrets that the lesson looks for; see package trace.
const (
	secretEarly     = "early_secret"
	secretShared    = "shared_secret"
	secretHandshake = "handshake_secret"
	secretClientHS  = "client_handshake_traffic_secret"
	secretServerHS  = "server_handshake_traffic_secret"
	secretClientApp = "client_application_traffic_secret_0"
)

func writeKeysLesson(ctx context.Context, c *classroom) ([]livePage, error) {
	if c.secrets && !c.isOwn {
		c.app.ui.warnf("--secrets: the lesson shows keys of this connection; whoever has them can read all of it")
	}
	v, err := c.welcome13(ctx)
	if err != nil {
		return nil, err
	}
	again, err := c.welcome13(ctx)
	if err != nil {
		return nil, err
	}
	k := keysLesson{room: c, visit: v, again: again}
	return []livePage{k.shares(), k.early(), k.tree(), k.transcript(), k.byHand(), k.directions(), k.nonce(), k.forward()}, nil
}

// keysLesson writes the pages over a connection, and another one to the same host.
type keysLesson struct {
	room  *classroom
	visit *visit
	again *visit
}

// key finds a secret by name. One that is not there is empty.
func (v *visit) key(name string) *trace.Derivation {
	for i := range v.Keys {
		if v.Keys[i].Name == name {
			return &v.Keys[i]
		}
	}
	return &trace.Derivation{Name: name}
}

// secret is the value of a secret, where it may be shown.
func (k *keysLesson) secret(value []byte) string {
	if !k.room.secrets {
		return fmt.Sprintf("(%d bytes; shown with --secrets)", len(value))
	}
	return hex.EncodeToString(value)
}

// shareOf is the public key that a side sent for the group that was taken.
func (v *visit) shareOf(side trace.Side) []byte {
	if side == trace.Client {
		var shares wire.KeyShares
		_, _ = v.lastHello().Ext(&shares) // our own hello
		for _, e := range shares.Entries {
			if e.Group == v.facts.Group {
				return e.KeyExchange
			}
		}
		return nil
	}
	m := v.message(trace.Server, helloOfServer)
	if m == nil {
		return nil
	}
	parsed, err := wire.ParseMessage(m.Raw)
	hello, ok := parsed.(*wire.ServerHello)
	if err != nil || !ok {
		return nil
	}
	var share wire.KeyShareHello
	_, _ = hello.Ext(&share) // the handshake was completed with it
	return share.Entry.KeyExchange
}

func firstBytes(b []byte) string {
	if len(b) <= 24 {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%x ... (%d bytes)", b[:24], len(b))
}

func (k *keysLesson) shares() livePage {
	v := k.visit
	p := livePage{
		Title: "A secret that was never sent", Section: "RFC 8446, Section 7.4",
		Shown: append([]string{fmt.Sprintf("The key exchange of this connection is %s:", v.facts.Group), ""},
			shownRows([2]string{"our share", firstBytes(v.shareOf(trace.Client))}, [2]string{"the server's share", firstBytes(v.shareOf(trace.Server))},
				[2]string{"shared secret", k.secret(v.key(secretShared).Output)})...),
		Question: "Which of these three could somebody on the way see?",
		Why:      "the shares stand in the two hellos, in the clear; the secret is computed at both ends, each from its own private key and the other's share",
	}
	p.choose("the two shares", "all three", "the two shares", "the shared secret alone")
	return p
}

func (k *keysLesson) early() livePage {
	one, other := k.visit.key(secretEarly), k.again.key(secretEarly)
	p := livePage{
		Title: "A beginning without a secret", Section: "RFC 8446, Section 7.1",
		Shown: append([]string{"The schedule begins with HKDF-Extract of zeros and zeros, for there is no pre-shared key. We connected twice:", ""},
			shownRows([2]string{"early_secret", hex.EncodeToString(one.Output)}, [2]string{"and again", hex.EncodeToString(other.Output)})...),
		Question: "Is the early_secret of a connection without a pre-shared key a secret?",
		Why:      "whoever knows the hash of the cipher suite can compute it: secrecy comes in with the next step, which adds the shared secret",
	}
	p.choose("no", "yes", "no")
	return p
}

// isSecretName reports whether a step gives a secret of the schedule, and no key, IV or the like.
func isSecretName(name string) bool {
	return !strings.HasSuffix(name, " key") && !strings.HasSuffix(name, " iv") && !strings.HasSuffix(name, " finished")
}

func (k *keysLesson) tree() livePage {
	v := k.visit
	s := suite.ByID(v.facts.CipherSuite)
	p := livePage{
		Title: "The schedule of this run", Section: "RFC 8446, Section 7.1",
		Shown:    []string{"Each line is a secret, what it was made with, and how it begins:", ""},
		Question: fmt.Sprintf("The cipher suite is %s. How many bytes has each secret that comes out of HKDF here?", v.facts.CipherSuite),
		Why:      fmt.Sprintf("as many as the hash of the suite puts out, %s; it is the same hash that runs over the messages", s.Hash),
		Answer:   strconv.Itoa(s.Hash.Size()),
	}
	for i := range v.Keys {
		d := &v.Keys[i]
		if !isSecretName(d.Name) || d.How == "given" {
			continue
		}
		how := d.How
		if d.Label != "" {
			how = strconv.Quote(d.Label)
		}
		begin := "........"
		if k.room.secrets {
			begin = hex.EncodeToString(d.Output[:min(4, len(d.Output))])
		}
		p.Shown = append(p.Shown, fmt.Sprintf("  %-36s %-15s %s..", d.Name, how, begin))
	}
	return p
}

func (k *keysLesson) transcript() livePage {
	d := k.visit.key(secretServerHS)
	p := livePage{
		Title: "What was said is in the keys", Section: "RFC 8446, Section 4.4.1",
		Shown: append([]string{"The handshake traffic secrets are made of the handshake_secret and of this hash:", ""},
			shownRows([2]string{"transcript", hex.EncodeToString(d.Context)})...),
		Question: "A hash over which messages is it?",
		Why:      "no more had been said when these keys were needed; who changes a bit of a hello on its way gets two sides with different keys",
	}
	p.choose("ClientHello and ServerHello, whole", "the two randoms", "ClientHello and ServerHello, whole", "all messages of the handshake")
	if d.UpTo >= 0 && d.UpTo < len(k.visit.Messages) {
		size := 0
		for i := 0; i <= d.UpTo; i++ {
			size += len(k.visit.Messages[i].Raw)
		}
		p.Shown = append(p.Shown, "", fmt.Sprintf("It was taken behind message %d of this connection, over %d bytes; computed anew from the recording it agrees.", d.UpTo+1, size))
	}
	if k.visit.facts.HelloRetried {
		p.Why = "the first hello went in as a hash, for there was a HelloRetryRequest; " + p.Why
	}
	return p
}

// labelOf is the info of HKDF-Expand-Label.
func labelOf(label string, context []byte, n int) []byte {
	full := "tls13 " + label
	b := binary.BigEndian.AppendUint16(nil, uint16(n))
	b = append(append(b, byte(len(full))), full...)
	return append(append(b, byte(len(context))), context...)
}

// byHand has a step computed by OpenSSL. Where secrets are not to be shown it is the one that has none.
func (k *keysLesson) byHand() livePage {
	v := k.visit
	from, d := v.key(secretEarly), v.key("early_secret derived")
	if k.room.secrets {
		from, d = v.key(secretHandshake), v.key(secretClientHS)
	}
	info := labelOf(d.Label, d.Context, d.Length)
	digest := "SHA2-256"
	if d.Length == 48 {
		digest = "SHA2-384"
	}
	p := livePage{
		Title: "One step by hand", Section: "RFC 8446, Section 7.1",
		Shown: append([]string{fmt.Sprintf("%s = HKDF-Expand-Label(%s, %q, hash, %d). The info that goes into HKDF-Expand is:", strings.ReplaceAll(d.Name, " ", " of "), from.Name, d.Label, d.Length), ""},
			shownRows([2]string{"length", fmt.Sprintf("%04x", d.Length)},
				[2]string{"label", fmt.Sprintf("%02x %q", len("tls13 "+d.Label), "tls13 "+d.Label)},
				[2]string{"hash", fmt.Sprintf("%02x %x", len(d.Context), []byte(d.Context))})...),
		Command: fmt.Sprintf("openssl kdf -keylen %d -kdfopt digest:%s -kdfopt mode:EXPAND_ONLY -kdfopt hexkey:%x -kdfopt hexinfo:%x HKDF",
			d.Length, digest, []byte(from.Output), info),
		Question: "Paste the command line into a shell with OpenSSL 3. Which are the first four bytes that it prints?",
		Answer:   hex.EncodeToString(d.Output[:min(4, len(d.Output))]),
		Why:      "the bytes that both ends of this connection computed, from the same secret, the same label and the same messages",
	}
	p.Shown = append(p.Shown, "", "All of that as one command line:")
	return p
}

func (k *keysLesson) directions() livePage {
	v := k.visit
	p := livePage{
		Title: "A key for each direction", Section: "RFC 8446, Section 7.3",
		Shown:    []string{"Each traffic secret gives a key and an IV. Those of this connection:", ""},
		Question: "How many keys for encryption have these two sides derived up to here?",
		Why:      "one for each direction and each epoch: a record sent back to its sender opens with nothing, and handshake keys say nothing about those of the data",
	}
	n := 0
	for i := range v.Keys {
		d := &v.Keys[i]
		if strings.HasSuffix(d.Name, " key") {
			n++
			p.Shown = append(p.Shown, shownRows([2]string{fmt.Sprintf("%s, %-11s", d.Side, d.Epoch), k.secret(d.Output)})...)
		}
	}
	p.Answer = strconv.Itoa(n)
	return p
}

// nonceRecord is a record whose number is not 0, if there is one.
func (k *keysLesson) nonceRecord() *trace.Record {
	var found *trace.Record
	for i := range k.visit.Records {
		r := &k.visit.Records[i]
		if len(r.Nonce) > 0 && (found == nil || found.Sequence == 0 && r.Sequence > 0) {
			found = r
		}
	}
	return found
}

func (k *keysLesson) nonce() livePage {
	r := k.nonceRecord()
	p := livePage{
		Title: "A number for each record", Section: "RFC 8446, Section 5.3",
		Why: "the nonce is the IV XOR the record's number, which is counted by both sides and never sent; it begins with 0 under each new key",
	}
	var iv *trace.Derivation
	for i := range k.visit.Keys {
		d := &k.visit.Keys[i]
		if r != nil && strings.HasSuffix(d.Name, " iv") && d.Side == r.From && d.Epoch == r.Epoch {
			iv = d
		}
	}
	if !k.room.secrets || iv == nil || len(iv.Output) == 0 {
		p.Shown = []string{"Encrypted records of this connection, by who sent them and under which keys:", ""}
		for i := range k.visit.Records {
			if x := &k.visit.Records[i]; len(x.Nonce) > 0 {
				p.Shown = append(p.Shown, fmt.Sprintf("  %-6s  %-12s %5d bytes", x.From, x.Epoch, len(x.Raw)))
			}
		}
		p.Question = "Which number has the first record under the application keys of the client?"
		p.Answer = "0"
		return p
	}
	p.Shown = append([]string{fmt.Sprintf("A record of the %s, of %d bytes, under its keys of the %s epoch:", r.From, len(r.Raw), r.Epoch), ""},
		shownRows([2]string{"IV", fmt.Sprintf("% x", []byte(iv.Output))}, [2]string{"number", strconv.FormatUint(r.Sequence, 10)},
			[2]string{"nonce", fmt.Sprintf("% x ??", []byte(r.Nonce[:len(r.Nonce)-1]))})...)
	p.Question = "What is the last byte of its nonce, in hexadecimal?"
	p.Answer = fmt.Sprintf("%02x", r.Nonce[len(r.Nonce)-1])
	return p
}

func (k *keysLesson) forward() livePage {
	one, other := k.visit, k.again
	p := livePage{
		Title: "Forward secrecy", Section: "RFC 8446, Appendix E.1",
		Shown: append([]string{"The same host twice, and nothing is the same:", ""},
			shownRows([2]string{"server's share", firstBytes(one.shareOf(trace.Server))}, [2]string{"and again", firstBytes(other.shareOf(trace.Server))},
				[2]string{"client's secret", k.secret(one.key(secretClientApp).Output)}, [2]string{"and again", k.secret(other.key(secretClientApp).Output)})...),
		Question: "Somebody recorded this connection, and steals the private key of the server's certificate next year. Can he read the recording then?",
		Why: fmt.Sprintf("that key made one signature here (%s) and no secret; the private halves of the shares were forgotten when the handshake was done",
			one.facts.PeerScheme),
	}
	p.choose("no", "yes", "no")
	return p
}
