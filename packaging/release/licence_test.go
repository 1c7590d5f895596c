package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including the rights to use it, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.`

const bsd = `Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:
 * Redistributions of source code must retain the above copyright notice.
`

const endorsement = " * Neither the name of X nor the names of its contributors may be used to endorse or promote products derived from this software.\n"

func TestLicencesAreRecognised(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"Copyright (c) 2020 X\n\n" + mit, "MIT"},
		{bsd, "BSD-2-Clause"},
		{bsd + endorsement, "BSD-3-Clause"},
		{mit + "\n\nThe folder y:\n\n" + bsd + endorsement, "MIT,BSD-3-Clause"},
	} {
		if ids, err := recognise(c.body); strings.Join(ids, ",") != c.want || err != nil {
			t.Errorf("%v, %v for %.60q, not %s", ids, err, c.body, c.want)
		}
	}
}

func TestOtherLicencesAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"GPL":              "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n",
		"LGPL beside MIT":  mit + "\nGNU Lesser General Public License\nVersion 2.1, February 1999\n",
		"AGPL":             "GNU AFFERO GENERAL PUBLIC LICENSE Version 3, 19 November 2007",
		"commons clause":   mit + "\n\"Commons Clause\" License Condition v1.0",
		"advertising":      bsd + "All advertising materials mentioning features of this software must say so.\n" + endorsement,
		"JSON":             mit + "\nThe Software shall be used for Good, not Evil.",
		"business source":  "Business Source License 1.1",
		"nothing known":    "All rights reserved.",
		"nothing at all":   "",
		"much beside MIT":  mit + strings.Repeat(" Moreover, whoever has it shall sing.", 40),
		"a changed review": "# Third-Party Software Notices\n",
	} {
		if ids, err := recognise(body); err == nil {
			t.Errorf("%s: taken for %v", name, ids)
		}
	}
}

// TestTheGateCanFail shows that one bad module among good ones is refused, by name.
func TestTheGateCanFail(t *testing.T) {
	good := module{name: "example.org/good", version: "v1.0.0", texts: []text{{name: "LICENSE", body: mit}}}
	if err := report(io.Discard, []module{good}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []module{
		{name: "example.org/bad", version: "v1.0.0", texts: []text{{name: "COPYING", body: "GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991"}}},
		{name: "example.org/bad", version: "v1.0.0"},
		{name: "example.org/bad", version: "v1.0.0", texts: []text{{name: "NOTICE", body: mit, notice: true}}},
	} {
		if err := report(io.Discard, []module{good, bad}); err == nil || !strings.Contains(err.Error(), "example.org/bad") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestTheProgramsLicencesAreAllowed is the gate itself, for this system: the modules of others may not be at hand. scripts/check.sh
// asks for all.
func TestTheProgramsLicencesAreAllowed(t *testing.T) {
	t.Chdir("../..")
	modules, err := linked([]string{runtime.GOOS + "/" + runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	if err := report(io.Discard, modules); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"std", "htmx", "modernc.org/sqlite", "golang.org/x/crypto"} {
		if !slices.ContainsFunc(modules, func(m module) bool { return m.name == want }) {
			t.Errorf("%s was not seen", want)
		}
	}
	var out strings.Builder
	if err := printLicences(&out, modules); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"musl libc", "The Go Authors", "Mozilla Public License", "Prometheus"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the texts", want)
		}
	}
}

// TestTextsOfPartsAreFound looks from the package that is linked up to its module: what was copied in has a licence of its own.
func TestTextsOfPartsAreFound(t *testing.T) {
	root := t.TempDir()
	part := filepath.Join(root, "internal", "borrowed")
	if err := os.MkdirAll(part, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"LICENSE": mit, "NOTICE": "n", "licence.go": "package x", "internal/borrowed/COPYING.txt": bsd, "internal/licenses.json": "{}"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var m module
	for range 2 {
		if err := m.collect(root, part); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, x := range m.texts {
		names = append(names, x.name)
	}
	if got := strings.Join(names, " "); got != "LICENSE NOTICE internal/borrowed/COPYING.txt" {
		t.Error(got)
	}
	if ids, err := m.licences(); err != nil || strings.Join(ids, ",") != "BSD-2-Clause,MIT" {
		t.Errorf("%v, %v", ids, err)
	}
}
