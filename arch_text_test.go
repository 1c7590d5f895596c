package tlswright_test

import (
	"regexp"
	"slices"
	"strings"
)

// textRules are the rules on every text file of the repository.
func textRules() []rule {
	return []rule{
		{name: "go.mod replaces nothing", check: goModReplacesNothing,
			refused: []sample{
				{files: map[string]string{"go.mod": "module " + modulePath + "\n\nreplace a => b\n"}, want: "replace"},
				{files: map[string]string{"go.mod": "module example.org/other\n"}, want: modulePath},
			},
			allowed: []sample{{files: map[string]string{"go.mod": "module " + modulePath + "\n\nrequire example.org/a v1.0.0\n"}}}},
		{name: "every dependency has been decided on", check: everyDependencyHasBeenDecidedOn,
			refused: []sample{
				{files: map[string]string{"go.mod": "module x\nrequire example.org/a v1.0.0\n"}, want: "example.org/a"},
				{files: map[string]string{"go.mod": "module x\nrequire (\n\texample.org/a/v2 v2.0.0\n)\n",
					"docs/decisions/0001-x.md": "about example.org/b"}, want: "example.org/a/v2"},
			},
			allowed: []sample{{files: map[string]string{
				"go.mod":                   "module x\nrequire (\n\texample.org/a v1.0.0\n\texample.org/c v1.0.0 // indirect\n)\n",
				"docs/decisions/0001-x.md": "- `example.org/a`: because"}}}},
		{name: "nothing is left for later", check: nothingIsLeftForLater,
			refused: []sample{
				{files: goSource("wire/a.go", "// TO"+"DO: finish"), want: "TO" + "DO"},
				{files: map[string]string{"Makefile": "# FIX" + "ME"}, want: "FIX" + "ME"},
				{files: goSource("wire/a.go", "var x = 1 //no"+"lint"), want: "no" + "lint"},
				{files: goSource("wire/a.go", "//lint:ig"+"nore U1000 later"), want: "lint:ig" + "nore"},
			},
			allowed: []sample{{files: goSource("wire/a.go", "// todos is a list of chores.")}}},
		{name: "no machine shows through", check: noMachineShowsThrough,
			refused: []sample{
				{files: map[string]string{"Makefile": "GOPROXY=https://proxy.golang" + ".org"}, want: "proxy.golang" + ".org"},
				{files: map[string]string{"docs/x.md": "see /ro" + "ot/go/bin"}, want: "/ro" + "ot/"},
				{files: map[string]string{".ci/run": "cd /ho" + "me/someone/src"}, want: "/ho" + "me/"},
				{files: map[string]string{"go.mod": "// /wo" + "rk/main"}, want: "/wo" + "rk/"},
			},
			allowed: []sample{{files: map[string]string{"README.md": "https://www.rfc-editor.org and /usr/bin/env and /etc/hosts"}}}},
	}
}

func goModReplacesNothing(t *tree) []problem {
	text, ok := t.texts["go.mod"]
	if !ok {
		return nil
	}
	var problems []problem
	for i, line := range strings.Split(text, "\n") {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word == "replace" {
			problems = append(problems, problem{"go.mod", i + 1, "a replace hides from our users what we build with"})
		}
	}
	if !strings.HasPrefix(text, "module "+modulePath+"\n") {
		problems = append(problems, problem{"go.mod", 1, "the module is not " + modulePath})
	}
	return problems
}

// requirement matches a line of go.mod that requires a module directly.
var requirement = regexp.MustCompile(`^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) v\S+$`)

func everyDependencyHasBeenDecidedOn(t *tree) []problem {
	var decisions strings.Builder
	for name, text := range t.texts {
		if strings.HasPrefix(name, "docs/decisions/") {
			decisions.WriteString(text)
		}
	}
	var problems []problem
	for i, line := range strings.Split(t.texts["go.mod"], "\n") {
		found := requirement.FindStringSubmatch(strings.TrimRight(line, " \t"))
		if found != nil && !strings.Contains(decisions.String(), "`"+found[1]+"`") {
			problems = append(problems, problem{"go.mod", i + 1, "no line in docs/decisions says why we depend on `" + found[1] + "`"})
		}
	}
	return problems
}

// leftover matches the marks of unfinished work and of silenced checks. It is written so as not to match itself.
var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b|//no` + `lint|//lint:ig` + `nore`)

func nothingIsLeftForLater(t *tree) []problem {
	return grep(t, leftover, "unfinished work belongs into an issue")
}

// machine matches what is true on one machine only: where modules come from, and where somebody keeps their files.
var machine = regexp.MustCompile(strings.Join([]string{
	`proxy\.golang` + `\.org`, `sum\.golang` + `\.org`, `index\.golang` + `\.org`, `goproxy\.` + `(io|cn)`, `registry\.npm` + `js\.org`, `files\.python` + `hosted\.org`,
	`deb\.deb` + `ian\.org`, `snapshot\.deb` + `ian\.org`, `/ro` + `ot/`, `/ho` + `me/[a-z]`, `/Us` + `ers/[a-z]`, `(^|[\s"'=(` + "`" + `])/wo` + `rk/`, `/tm` + `p/w\b`,
}, "|"))

func noMachineShowsThrough(t *tree) []problem {
	return grep(t, machine, "names something of one machine")
}

// grep complains about every line of the repository's text that matches.
func grep(t *tree, pattern *regexp.Regexp, complaint string) []problem {
	var problems []problem
	for name, text := range t.texts {
		if !pattern.MatchString(text) {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if found := pattern.FindString(line); found != "" {
				problems = append(problems, problem{name, i + 1, complaint + ": " + found})
			}
		}
	}
	slices.SortFunc(problems, func(a, b problem) int { return strings.Compare(a.place, b.place) })
	return problems
}
