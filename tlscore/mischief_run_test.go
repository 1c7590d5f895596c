package tlscore_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// samples are messages of every type: those of all faithful scripts, and those that no script says.
func samples(t testing.TB, all []script, params []*tlscore.Params) (out [][]byte, lengths []int) {
	t.Helper()
	seen := map[wire.HandshakeType]bool{}
	for i := range all {
		n := 0
		all[i].play(t, params[i], nil, func(p *tlstest.Puppet) {
			p.Edit = func(kind wire.HandshakeType, raw []byte) []byte {
				n++
				if !seen[kind] {
					out, seen[kind] = append(out, bytes.Clone(raw)), true
				}
				return raw
			}
		})
		lengths = append(lengths, n)
	}
	for _, m := range []wire.Message{
		&wire.HelloRequest{}, &wire.KeyUpdate{}, &wire.KeyUpdate{Request: wire.UpdateRequested}, &wire.Certificate{}, &wire.Certificate12{},
		&wire.NewSessionTicket{Lifetime: 1, Ticket: []byte("x"), Extensions: wire.Extensions{}}, &wire.MessageHash{Hash: make([]byte, 32)},
		&wire.CompressedCertificate{Algorithm: 1, UncompressedLength: 9, Compressed: []byte{1}},
	} {
		out = append(out, wire.AppendMessage(nil, m))
	}
	return append(out, []byte{99, 0, 0, 0}, []byte{byte(wire.TypeFinished), 0xff, 0xff, 0xff}, []byte{byte(wire.TypeCertificate)}), lengths
}

func compileAll(t testing.TB, all []script) (params []*tlscore.Params) {
	t.Helper()
	for i := range all {
		params = append(params, compile(t, all[i].config))
	}
	return params
}

// TestMischiefIsRefused plays each trick on each message of each script, with each sample.
func TestMischiefIsRefused(t *testing.T) {
	all := scripts(t)
	params := compileAll(t, all)
	library, lengths := samples(t, all, params)
	runs := 0
	for i := range all {
		for at := range lengths[i] + 1 {
			for what := range trickCount {
				args := []int{0}
				switch what {
				case trickReplace, trickInsert, trickAppend:
					args = make([]int, len(library))
					for k := range args {
						args[k] = k
					}
				case trickFlip:
					args = []int{1, 100, 255}
				case trickEmpty:
					args = []int{0, 1, 2, 3}
				case trickWarn:
					args = []int{0, int(wire.AlertNoRenegotiation), int(wire.AlertUserCanceled)}
				case trickRaw:
					continue // for the fuzzer
				}
				if testing.Short() || brief {
					args = args[:1]
				}
				for _, arg := range args {
					x := &mischief{ops: []op{{at, what, byte(arg)}}, samples: library}
					x.run(t, &all[i], params[i])
					runs++
					if t.Failed() {
						t.Fatalf("%s: %+v", all[i].name, x.ops)
					}
				}
			}
		}
	}
	t.Logf("%d scripts, %d samples, %d runs", len(all), len(library), runs)
}

// FuzzMischief plays several tricks at once, and puts any bytes in the place of messages.
func FuzzMischief(f *testing.F) {
	all := scripts(f)
	params := compileAll(f, all)
	library, lengths := samples(f, all, params)
	for i := range all {
		f.Add(byte(i), []byte{0, byte(trickRaw), 0}, library[i%len(library)])
		f.Add(byte(i), []byte{byte(lengths[i] - 1), byte(trickHold), 0, byte(lengths[i]), byte(trickReplace), 3}, []byte{})
	}
	f.Fuzz(func(t *testing.T, which byte, program, raw []byte) {
		x := &mischief{samples: library, raw: raw}
		for b := range slices.Chunk(program[:min(len(program), 15)], 3) {
			if len(b) == 3 {
				x.ops = append(x.ops, op{int(b[0]) % 10, trick(b[1]) % trickCount, b[2]})
			}
		}
		i := int(which) % len(all)
		x.run(t, &all[i], params[i])
	})
}
