package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// What a list of targets may hold.
const (
	maxTargetLine = 4096 // bytes of a line
	maxBlockBits  = 16   // a CIDR block has 65,536 addresses at most
)

// Targets reads a list of targets, a line each, as they are asked for: what ParseTarget knows, or a block of addresses as
// "192.0.2.0/24" or "192.0.2.0/24:8443", of which each is a target. A second word is the name to ask for by SNI. What stands
// behind a "#" is a comment. A line that is none of these gives an error and does not end the list; an error of r does.
func Targets(r io.Reader) iter.Seq2[Target, error] {
	return func(yield func(Target, error) bool) {
		in := bufio.NewReaderSize(r, maxTargetLine)
		for number := 1; ; number++ {
			line, err := in.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				for errors.Is(err, bufio.ErrBufferFull) {
					_, err = in.ReadSlice('\n')
				}
				if !yield(Target{}, fmt.Errorf("line %d: %w: longer than %d bytes", number, ErrTarget, maxTargetLine)) {
					return
				}
			} else {
				for t, bad := range targetsOf(string(line)) {
					if bad != nil {
						bad = fmt.Errorf("line %d: %w", number, bad)
					}
					if !yield(t, bad) {
						return
					}
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Target{}, fmt.Errorf("line %d: %w", number, err))
				}
				return
			}
		}
	}
}

// TargetsOf gives the targets that words of a command line stand for, as Targets does of lines.
func TargetsOf(words []string) iter.Seq2[Target, error] {
	return func(yield func(Target, error) bool) {
		for _, w := range words {
			for t, err := range expand(w) {
				if !yield(t, err) {
					return
				}
			}
		}
	}
}

// targetsOf reads one line.
func targetsOf(line string) iter.Seq2[Target, error] {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimSpace(line)
	words := strings.Fields(line)
	return func(yield func(Target, error) bool) {
		switch {
		case len(words) == 0:
			return
		case len(words) > 2:
			yield(Target{}, fmt.Errorf("%w: %q: a line holds a target and, if need be, the name to ask for", ErrTarget, clip(line)))
			return
		}
		for t, err := range expand(words[0]) {
			if err == nil && len(words) == 2 {
				t.ServerName = strings.TrimSuffix(strings.ToLower(asciiTarget(words[1])), ".")
				if err = checkHost(t.ServerName); err != nil {
					err = fmt.Errorf("%w: %q: %w", ErrTarget, clip(words[1]), err)
				}
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// expand gives the targets that one word stands for: itself, or each address of a block.
func expand(word string) iter.Seq2[Target, error] {
	word = asciiTarget(word)
	return func(yield func(Target, error) bool) {
		block, rest, isBlock := cutPrefix(word)
		if !isBlock {
			yield(ParseTarget(word))
			return
		}
		if block.Addr().BitLen()-block.Bits() > maxBlockBits {
			yield(Target{}, fmt.Errorf("%w: %q: a block has %d addresses at most: split it", ErrTarget, clip(word), 1<<maxBlockBits))
			return
		}
		for a := block.Masked().Addr(); block.Contains(a); a = a.Next() {
			host := a.String()
			if a.Is6() && rest != "" {
				host = "[" + host + "]"
			}
			t, err := ParseTarget(host + rest)
			t.InBlock = true
			if !yield(t, err) || err != nil { // what is wrong with one is wrong with all
				return
			}
		}
	}
}

// cutPrefix takes "192.0.2.0/24:8443" apart; the port, and a protocol behind it, stay together.
func cutPrefix(word string) (block netip.Prefix, rest string, ok bool) {
	address, after, found := strings.Cut(word, "/")
	if !found {
		return block, "", false
	}
	end := strings.IndexAny(after, ":/")
	if end < 0 {
		end = len(after)
	}
	address = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	block, err := netip.ParsePrefix(address + "/" + after[:end])
	return block, after[end:], err == nil
}

// asciiTarget gives the name in a target its ASCII form, where it has letters beyond ASCII: "bücher.example:8443". What has no such
// form stays as it is, and is refused later.
func asciiTarget(word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool { return r >= 0x80 }) {
		return word
	}
	scheme, rest, found := strings.Cut(word, "://")
	if !found {
		scheme, rest = "", word
	} else {
		scheme += "://"
	}
	end := strings.IndexAny(rest, ":/?")
	if end < 0 {
		end = len(rest)
	}
	ascii, err := idna.Lookup.ToASCII(rest[:end])
	if err != nil {
		return word
	}
	return scheme + ascii + rest[end:]
}

// clip bounds what a message repeats of a line.
func clip(s string) string {
	const enough = 100
	if len(s) > enough {
		return s[:enough] + "…"
	}
	return s
}
