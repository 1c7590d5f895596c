package tlswright_test

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// docsRules are the rules on what people read: pages in Markdown.
func docsRules() []rule {
	page := func(text string) map[string]string {
		return map[string]string{"README.md": text, "docs/a.md": "# A b, `c`\n## A b\n## A b\n"}
	}
	return []rule{
		{name: "every link leads somewhere", check: everyLinkLeadsSomewhere,
			refused: []sample{
				{files: page("see [there](docs/b.md)"), want: "docs/b.md"},
				{files: page("see [there](docs/a.md#d)"), want: "#d"},
				{files: page("# One\nsee [below](#two)"), want: "#two"},
				{files: page("see [there](docs/a.md#a-b-2)"), want: "#a-b-2"},
				{files: page("![a picture](docs/a.png)"), want: "docs/a.png"},
				{files: map[string]string{"docs/a.md": "[up](README.md)", "README.md": ""}, want: "docs/README.md"},
				{files: map[string]string{"docs/a.md": "[out](../../secret.md)"}, want: "outside"},
			},
			allowed: []sample{
				{files: page("[a](docs/a.md) [b](docs/a.md#a-b-c) [c](docs) [d](docs/) [e](https://example.org/x#y) [f](docs/a.md#a-b-1)")},
				{files: page("# One, `two` & three\n[x](#one-two--three)\n```\n[not](a-link.md)\n```\nand `[neither](b.md)`")},
				{files: map[string]string{"docs/a.md": "[up](../README.md) and [beside](b.md)", "README.md": "", "docs/b.md": ""}},
				{files: map[string]string{"pki/testdata/x.md": "[gone](gone.md)"}},
			}},
		{name: "every page of docs can be reached", check: everyPageCanBeReached,
			refused: []sample{{files: map[string]string{"README.md": "[a](docs/a.md)", "docs/a.md": "", "docs/learn/b.md": "[a](../a.md)"}, want: "docs/learn/b.md"}},
			allowed: []sample{{files: map[string]string{
				"README.md": "[all](docs/README.md)", "docs/README.md": "[a](a.md#x)", "docs/a.md": "[b](learn/b.md)", "docs/learn/b.md": "", "CHANGELOG.md": ""}}}},
	}
}

// link is one of a page: to a path from the root (with a slash behind folders taken off) and a heading there.
type link struct {
	line           int
	target, anchor string
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codePattern    = regexp.MustCompile("`[^`]*`")
	headingPattern = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	schemePattern  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
)

// prose yields the lines of a page that are not in a block of code; the others are empty.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	inside := false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
			lines[i] = ""
		} else if inside {
			lines[i] = ""
		}
	}
	return lines
}

// linksOf lists the links of a page that stay in the repository.
func linksOf(name, text string) []link {
	var links []link
	for i, line := range prose(text) {
		for _, m := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(line, "``"), -1) {
			if schemePattern.MatchString(m[1]) {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			if target == "" {
				target = name
			} else {
				target = path.Join(path.Dir(name), target)
			}
			links = append(links, link{i + 1, target, anchor})
		}
	}
	return links
}

// anchorsOf lists the headings of a page as GitHub names them in links.
func anchorsOf(text string) []string {
	var anchors []string
	seen := map[string]int{}
	for _, line := range prose(text) {
		m := headingPattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		heading := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading)
		if n := seen[anchor]; n > 0 {
			anchors = append(anchors, anchor+"-"+strconv.Itoa(n))
		} else {
			anchors = append(anchors, anchor)
		}
		seen[anchor]++
	}
	return anchors
}

// isPage says whether people read the file: fixtures are for tests.
func isPage(name string) bool {
	return strings.HasSuffix(name, ".md") && !strings.Contains("/"+name, "/testdata/")
}

// exists says whether a path is a file of the repository, or a folder with some.
func (t *tree) exists(name string) bool {
	if _, ok := t.texts[name]; ok || name == "." {
		return true
	}
	for other := range t.texts {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

func everyLinkLeadsSomewhere(t *tree) []problem {
	var problems []problem
	for name, text := range t.texts {
		if !isPage(name) {
			continue
		}
		for _, l := range linksOf(name, text) {
			switch {
			case strings.HasPrefix(l.target, "../"):
				problems = append(problems, problem{name, l.line, "a link leads outside of the repository: " + l.target})
			case !t.exists(l.target):
				problems = append(problems, problem{name, l.line, "a link leads nowhere: " + l.target})
			case l.anchor != "" && isPage(l.target) && !slices.Contains(anchorsOf(t.texts[l.target]), l.anchor):
				problems = append(problems, problem{name, l.line, "no heading there: " + l.target + "#" + l.anchor})
			}
		}
	}
	return problems
}

func everyPageCanBeReached(t *tree) []problem {
	reached := map[string]bool{}
	for next := []string{"README.md", "docs/README.md"}; len(next) > 0; next = next[1:] {
		name := next[0]
		text, ok := t.texts[name]
		if !ok || reached[name] {
			continue
		}
		reached[name] = true
		for _, l := range linksOf(name, text) {
			next = append(next, l.target)
		}
	}
	var problems []problem
	for name := range t.texts {
		if strings.HasPrefix(name, "docs/") && isPage(name) && !reached[name] {
			problems = append(problems, problem{name, 1, "no link leads here from README.md or docs/README.md"})
		}
	}
	return problems
}
