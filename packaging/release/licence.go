package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// form is how a licence is recognised: sentences that it must contain, words in lower case without punctuation.
type form struct {
	id    string // SPDX
	words int    // so many words it has at most, with names and years
	has   []string
	lacks []string
}

// allowed are the licences that the program may contain: their conditions are kept by carrying their texts along. Of the
// MPL-2.0 that holds for unchanged files; NOTICE says where their source is.
func allowed() []form {
	const bsd = "redistribution and use in source and binary forms with or without modification are permitted provided that the following conditions are met"
	const endorse = "may be used to endorse or promote products derived from"
	const advertising = "all advertising materials mentioning"
	const permission = "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted"
	return []form{
		{id: "MIT", words: 230, has: []string{
			"permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software to deal in the software without restriction",
			"subject to the following conditions the above copyright notice and this permission notice shall be included in all copies or substantial portions of the software"}},
		{id: "BSD-3-Clause", words: 280, has: []string{bsd, endorse}, lacks: []string{advertising}},
		{id: "BSD-2-Clause", words: 240, has: []string{bsd}, lacks: []string{advertising, endorse}},
		{id: "ISC", words: 160, has: []string{permission, "provided that the above copyright notice and this permission notice appear in all copies"}},
		{id: "0BSD", words: 130, has: []string{permission}, lacks: []string{"provided that"}},
		{id: "Apache-2.0", words: 1720, has: []string{"apache license version 2 0 january 2004", "1 definitions license shall mean", "4 redistribution you may reproduce and distribute copies of the work"}},
		{id: "MPL-2.0", words: 2800, has: []string{"mozilla public license version 2 0 1 definitions", "2 license grants and conditions", "3 1 distribution of source form"}},
		{id: "blessing", words: 300, has: []string{"all of the code and documentation in sqlite has been dedicated to the public domain by the authors"}},
	}
}

// refusing are words that turn a permission into something else, wherever they stand. (The MPL-2.0 names the GPL as another
// licence that may be chosen; that its title stands at the beginning of a text is another matter.)
func refusing() *regexp.Regexp {
	return regexp.MustCompile(`commons clause|server side public license|business source license|additional use grant|elastic license|` +
		`non ?commercial (use|purposes) only|not (be used )?for commercial|used for good not evil|` +
		`gnu (affero |lesser |library )?general public license version \d( \d)? \w+ \d{4}|all advertising materials mentioning`)
}

// reviewed are texts that no form fits and that a person has read: by what they hold, so that a changed one is read again.
func reviewed(body string) (ids []string, ok bool) {
	switch fmt.Sprintf("%x", sha256.Sum256([]byte(body))) {
	case "f597097efe3d97021f89170746bd3a0fb9a8b6fb26b82043ed68a4e0283bee6c": // modernc.org/libc, LICENSE-3RD-PARTY.md
		return []string{"BSD-3-Clause", "MIT"}, true // Go, musl, go-netdb, nixpkgs
	case "b4366b9c27a9364633e015011a231913ed19bf1228f335bf617e50a6f7b168a6": // modernc.org/sqlite, LICENSE-3RD-PARTY.md
		return []string{"BSD-3-Clause", "MIT", "blessing"}, true // by its chapter 1, what is linked; the rest is about its tests
	case "5ae5bee3072a841376451b48d8cfcec7188e10543926d5870828d36c8a750dc5": // modernc.org/memory, LICENSE-LOGO
		return []string{}, true // where a picture comes from that is not in the program
	case "0d9e582ee4bff57bf1189c9e514e6da7ce277f9cd3bc2d488b22fbb39a6d87cf": // github.com/klauspost/compress, LICENSE
		return []string{"BSD-3-Clause", "Apache-2.0", "MIT"}, true // Go and Snappy; gzhttp; readahead, filepathx: each text whole, one behind the other
	}
	return nil, false
}

// recognise names the licences in a text. What is left over, or refuses something, is an error: it wants a reader.
func recognise(body string) ([]string, error) {
	if ids, ok := reviewed(body); ok {
		return ids, nil
	}
	words := strings.FieldsFunc(strings.ToLower(body), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	plain := strings.Join(words, " ")
	if found := refusing().FindString(plain); found != "" {
		return nil, fmt.Errorf("it says %q", found)
	}
	var ids []string
	most := 0
	for _, f := range allowed() {
		contains := func(sentence string) bool { return strings.Contains(plain, sentence) }
		lacks := slices.ContainsFunc(f.has, func(s string) bool { return !contains(s) })
		if lacks || slices.ContainsFunc(f.lacks, contains) {
			continue
		}
		ids = append(ids, f.id)
		most += f.words
	}
	switch {
	case len(ids) == 0:
		return nil, fmt.Errorf("it is no licence of the list")
	case len(words) > most:
		return nil, fmt.Errorf("beside %s it says something else: %d words, where at most %d are expected", strings.Join(ids, " and "), len(words), most)
	}
	return ids, nil
}

// licences names the licences of a module, sorted; there must be one, and all must be allowed.
func (m *module) licences() ([]string, error) {
	var ids []string
	for _, t := range m.texts {
		if t.notice {
			continue
		}
		found, err := recognise(t.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %s: %w", m.name, m.version, t.name, err)
		}
		ids = append(ids, found...)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s %s: no licence was found in its folder", m.name, m.version)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// report prints every module with its licences; what is not allowed, or not understood, is the error.
func report(out io.Writer, modules []module) error {
	var refused []string
	for _, m := range modules {
		ids, err := m.licences()
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		fmt.Fprintf(out, "%-40s %s\n", strings.Join(ids, " AND "), strings.TrimSpace(m.name+" "+m.version))
	}
	if len(refused) > 0 {
		return fmt.Errorf("licences that are not allowed, or want a reader (packaging/release/licence.go):\n%s", strings.Join(refused, "\n"))
	}
	return nil
}

// printLicences prints the texts that go along with the program. A text that several modules share stands there once.
func printLicences(out io.Writer, modules []module) error {
	fmt.Fprintf(out, "The program tlswright contains what is listed here, under these licences.\nIts own licence is in the file LICENSE.\n\n")
	if err := report(out, modules); err != nil {
		return err
	}
	of := make(map[string][]string)
	var bodies []string
	for _, m := range modules {
		for _, t := range m.texts {
			body := strings.Trim(strings.ReplaceAll(t.body, "\r\n", "\n"), "\n")
			if of[body] == nil {
				bodies = append(bodies, body)
			}
			of[body] = append(of[body], strings.TrimSpace(m.name+" "+m.version)+": "+t.name)
		}
	}
	for _, body := range bodies {
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 78), strings.Join(of[body], "\n"), body)
	}
	return nil
}
