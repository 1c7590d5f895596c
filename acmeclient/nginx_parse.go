package acmeclient

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a configuration: what is larger is not read.
const (
	maxNginxFile  = 8 << 20 // bytes
	maxNginxFiles = 4096
	maxNginxDepth = 64
)

// nginxWord is a word of a statement: what it says without quotes, and where it stands.
type nginxWord struct {
	text       string
	start, end int
}

// directive is a statement of a configuration of nginx: words up to a semicolon, or words and a block.
type directive struct {
	file       *nginxFile
	words      []nginxWord
	start, end int // from the first word to behind the semicolon or brace
	isBlock    bool
	inner      int // of a block: the offset behind its opening brace
	block      []*directive
}

// name is the first word.
func (d *directive) name() string { return d.words[0].text }

// args are the words behind the name.
func (d *directive) args() []string {
	var all []string
	for _, w := range d.words[1:] {
		all = append(all, w.text)
	}
	return all
}

// nginxFile is one file of a configuration.
type nginxFile struct {
	path string // as nginx names it
	real string // where it lies, links followed
	text []byte
	top  []*directive
}

// line is the number of the line that an offset is in.
func (f *nginxFile) line(offset int) int { return bytes.Count(f.text[:offset], []byte("\n")) + 1 }

// parseNginx reads a file as nginx does: words parted by blanks, quotes, comments, semicolons and braces. It checks no
// directive: nginx -t does.
func parseNginx(path string, text []byte) (*nginxFile, error) {
	f := &nginxFile{path: path, text: text}
	p := &nginxParser{file: f, text: text}
	var err error
	if f.top, err = p.statements(0); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, f.line(min(p.at, len(text))), err)
	}
	return f, nil
}

type nginxParser struct {
	file *nginxFile
	text []byte
	at   int
}

var (
	errNginxEnd   = errors.New("the file ends in the middle of a statement")
	errNginxBrace = errors.New("a brace that nothing belongs to")
	errNginxDepth = errors.New("blocks within blocks within blocks")
	errNginxEmpty = errors.New("a semicolon or brace without a word before it")
)

// statements reads up to the brace that ends a block, or to the end of the file at the top.
func (p *nginxParser) statements(depth int) ([]*directive, error) {
	if depth > maxNginxDepth {
		return nil, errNginxDepth
	}
	var all []*directive
	var d *directive
	for {
		p.skipBlank()
		if p.at == len(p.text) {
			if d != nil || depth > 0 {
				return nil, errNginxEnd
			}
			return all, nil
		}
		c := p.text[p.at]
		switch {
		case c == '}' && d == nil:
			if depth == 0 {
				return nil, errNginxBrace
			}
			return all, nil // the caller steps over the brace
		case (c == ';' || c == '{') && d == nil:
			return nil, errNginxEmpty
		case c == ';':
			p.at++
			d.end = p.at
			all, d = append(all, d), nil
		case c == '{':
			p.at++
			if err := p.body(d, depth); err != nil {
				return nil, err
			}
			p.at++
			d.end = p.at
			all, d = append(all, d), nil
		default:
			w, err := p.word()
			if err != nil {
				return nil, err
			}
			if d == nil {
				d = &directive{file: p.file, start: w.start}
			}
			d.words = append(d.words, w)
		}
	}
}

// body reads a block up to its closing brace. Blocks of Lua are stepped over: they are of another language.
func (p *nginxParser) body(d *directive, depth int) (err error) {
	d.isBlock, d.inner = true, p.at
	if strings.HasSuffix(d.name(), "_by_lua_block") {
		return p.skipLua()
	}
	d.block, err = p.statements(depth + 1)
	return err
}

// skipBlank steps over blanks and comments.
func (p *nginxParser) skipBlank() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		case '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// word reads one word, quoted or not. A brace behind a dollar sign belongs to a variable.
func (p *nginxParser) word() (nginxWord, error) {
	w := nginxWord{start: p.at}
	var text []byte
	quote := byte(0)
	if c := p.text[p.at]; c == '"' || c == '\'' {
		quote = c
		p.at++
	}
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			text = append(text, unescaped(p.text[p.at])...)
			continue
		case quote != 0 && c == quote:
			p.at++
			w.text, w.end = string(text), p.at
			return w, nil
		case quote == 0 && (strings.IndexByte(" \t\r\n;", c) >= 0 || c == '{' && (len(text) == 0 || text[len(text)-1] != '$')):
			w.text, w.end = string(text), p.at
			return w, nil
		}
		text = append(text, c)
	}
	return w, errNginxEnd
}

// unescaped is what a backslash before c means.
func unescaped(c byte) string {
	switch c {
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case 'n':
		return "\n"
	case '"', '\'', '\\':
		return string(c)
	}
	return "\\" + string(c)
}

// skipLua steps over a block of Lua, up to the brace that closes it: braces in its strings and comments do not count.
func (p *nginxParser) skipLua() error {
	for open := 1; p.at < len(p.text); p.at++ {
		rest := p.text[p.at:]
		switch {
		case bytes.HasPrefix(rest, []byte("--[[")), bytes.HasPrefix(rest, []byte("[[")):
			end := bytes.Index(rest, []byte("]]"))
			if end < 0 {
				return errNginxEnd
			}
			p.at += end + 1
		case bytes.HasPrefix(rest, []byte("--")):
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				return errNginxEnd
			}
			p.at += end
		case rest[0] == '"' || rest[0] == '\'':
			for p.at++; p.at < len(p.text) && p.text[p.at] != rest[0]; p.at++ {
				if p.text[p.at] == '\\' {
					p.at++
				}
			}
		case rest[0] == '{':
			open++
		case rest[0] == '}':
			if open--; open == 0 {
				return nil
			}
		}
	}
	return errNginxEnd
}
