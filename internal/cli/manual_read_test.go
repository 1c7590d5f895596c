package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// block is a fenced block of a page.
type block struct {
	page    string
	line    int // of the opening fence
	lang    string
	options map[string]string // the words after the language: "exit=1", "background"
	text    []string
}

// step is a command of a console block, with the output shown below it.
type step struct {
	line    int
	command string
	shown   []string
}

// inline is a command between backticks in running text.
type inline struct {
	line int
	text string
}

// blockOptions are the words that may stand after the language of a block.
var blockOptions = map[string][]string{
	"console": {"exit", "background", "stop", "needs", "again"},
	"text":    {"prints"},
}

// fence matches the line that opens or closes a block.
var fence = regexp.MustCompile("^ *(```+) *(.*)$")

// readPage takes a page apart into its blocks and the code spans of its running text.
func readPage(name, text string) ([]block, []inline, error) {
	var blocks []block
	var spans []inline
	var open *block
	var closing string
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case open == nil && m == nil:
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				spans = append(spans, inline{i + 1, span[1]})
			}
		case open == nil:
			b, err := newBlock(name, i+1, m[2])
			if err != nil {
				return nil, nil, err
			}
			open, closing = &b, m[1]
		case m != nil && m[2] == "" && m[1] == closing:
			blocks = append(blocks, *open)
			open = nil
		default:
			open.text = append(open.text, line)
		}
	}
	if open != nil {
		return nil, nil, fmt.Errorf("%s:%d: the block has no end", name, open.line)
	}
	return blocks, spans, nil
}

// codeSpan matches code within a line of running text.
var codeSpan = regexp.MustCompile("`([^`]+)`")

func newBlock(page string, line int, info string) (block, error) {
	b := block{page: page, line: line, options: map[string]string{}}
	words := strings.Fields(info)
	if len(words) == 0 {
		return b, nil
	}
	b.lang = words[0]
	allowed := blockOptions[b.lang]
	if allowed == nil {
		allowed = []string{"file"}
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		if !slices.Contains(allowed, key) {
			return b, fmt.Errorf("%s:%d: a block of %s knows no %q", page, line, b.lang, key)
		}
		b.options[key] = value
	}
	return b, nil
}

// steps takes a console block apart: lines that begin with "$ " are commands, continued by a backslash or by lines
// that begin with "> "; the others are what they print.
func (b block) steps() ([]step, error) {
	var all []step
	continued := false
	for i, line := range b.text {
		line, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		switch {
		case continued:
			all[len(all)-1].command += "\n" + strings.TrimPrefix(line, "> ")
		case isCommand:
			all = append(all, step{line: b.line + 1 + i, command: line})
		case len(all) == 0:
			return nil, fmt.Errorf("%s:%d: output without a command before it", b.page, b.line+1+i)
		case isMore && len(all[len(all)-1].shown) == 0:
			all[len(all)-1].command += "\n" + more
		default:
			last := &all[len(all)-1]
			last.shown = append(last.shown, line)
		}
		continued = (isCommand || continued) && strings.HasSuffix(line, `\`)
	}
	for i := range all {
		for n := len(all[i].shown); n > 0 && all[i].shown[n-1] == ""; n-- {
			all[i].shown = all[i].shown[:n-1]
		}
	}
	return all, nil
}

// agree says where what was printed differs from what is shown. "..." stands for any text within a line, and alone
// in a line for any number of lines; how wide columns are does not count. With sofar more may come behind what is shown.
func agree(shown []string, printed string, sofar bool) error {
	lines := strings.Split(strings.TrimRight(printed, "\n"), "\n")
	end, rest := ``, `(?:.*\n)*`
	if !sofar {
		end, rest = `\n*$`, ``
	}
	for i := range lines {
		lines[i] = narrow(lines[i])
	}
	text := strings.Join(lines, "\n") + "\n"
	expr := `^`
	for i, want := range shown {
		if strings.TrimSpace(want) == "..." {
			expr += `(?:.*\n)*`
		} else {
			want = narrow(want)
			expr += strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, `.*`) + `\n`
		}
		if !regexp.MustCompile(expr).MatchString(text) {
			return fmt.Errorf("shown, but not printed: %q; printed was:\n%s", shown[i], text)
		}
	}
	if !regexp.MustCompile(expr + rest + end).MatchString(text) {
		return fmt.Errorf("more was printed than is shown:\n%s", text)
	}
	return nil
}

// narrow makes one blank of several, and none of those at the end.
func narrow(line string) string {
	return strings.TrimRight(blanks.ReplaceAllString(line, " "), " ")
}

var blanks = regexp.MustCompile(` +`)

// commandLines finds the calls of tlswright in shell text, each as the words behind the program's name. It knows quotes,
// backslashes, comments and what separates commands; it expands nothing.
func commandLines(text string) [][]string {
	var calls [][]string
	var words []string
	flush := func() {
		if i := slices.IndexFunc(words, isOurs); i >= 0 && beforeIsNothing(words[:i]) {
			calls = append(calls, words[i+1:])
		}
		words = nil
	}
	for rest := text; rest != ""; {
		var word string
		var quoted bool
		word, quoted, rest = nextWord(rest)
		if !quoted && (word == "" || strings.ContainsAny(word[:1], "\n;&|()")) {
			flush()
			continue
		}
		if !quoted && strings.HasPrefix(word, "#") {
			_, rest, _ = strings.Cut(rest, "\n")
			flush()
			continue
		}
		words = append(words, word)
	}
	flush()
	return withoutRedirections(calls)
}

// isOurs says whether a word starts our program: installed, beside, or from source.
func isOurs(word string) bool {
	return word == "tlswright" || word == "./cmd/tlswright" || strings.HasSuffix(word, "/tlswright") && !strings.Contains(word, "github.com")
}

// beforeIsNothing says whether the words before the program leave it the program: variables, sudo and their kin.
func beforeIsNothing(words []string) bool {
	for _, w := range words {
		name, _, assigns := strings.Cut(w, "=")
		if !slices.Contains([]string{"sudo", "exec", "env", "time", "if", "!", "go", "run", "while", "then", "do", "eval"}, w) &&
			(!assigns || strings.ToUpper(name) != name) {
			return false
		}
	}
	return true
}

func withoutRedirections(calls [][]string) [][]string {
	for i, words := range calls {
		var kept []string
		for j := 0; j < len(words); j++ {
			target := strings.TrimLeft(words[j], "012")
			if strings.HasPrefix(target, ">") || strings.HasPrefix(target, "<") {
				if strings.Trim(target, "<>-") == "" {
					j++ // the file is the next word
				}
				continue
			}
			kept = append(kept, words[j])
		}
		calls[i] = kept
	}
	return calls
}

// nextWord cuts the first word, or the first separator, off shell text. A substitution is text of its own: what it calls
// is found when its parenthesis separates it.
func nextWord(text string) (word string, quoted bool, rest string) {
	text = strings.TrimLeft(text, " \t")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				b.WriteByte(text[i])
			}
		case c == '\'' || c == '"':
			end := strings.IndexByte(text[i+1:], c)
			if end < 0 {
				return b.String() + text[i+1:], true, ""
			}
			inner := text[i+1 : i+1+end]
			if c == '"' && strings.HasPrefix(inner, "$(") {
				return "", false, strings.TrimSuffix(inner[2:], ")") + "\n" + text[i+end+2:]
			}
			b.WriteString(inner)
			quoted = true
			i += end + 1
		case strings.IndexByte(" \t", c) >= 0:
			return b.String(), quoted, text[i:]
		case strings.IndexByte("\n;&|()", c) >= 0:
			if b.Len() == 0 && !quoted {
				return string(c), false, text[i+1:]
			}
			return b.String(), quoted, text[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), quoted, ""
}
