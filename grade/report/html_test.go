package report

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestThePageHasNothingButItsOwnElements parses pages full of hostile strings: there is no element and no attribute that
// the template does not have, no link but to http and to a place in the page, and nothing that is fetched or run.
func TestThePageHasNothingButItsOwnElements(t *testing.T) {
	elements := strings.Fields("html head meta title style body header div h1 h2 h3 p span strong b section ol ul li details summary pre code a dl dt dd table thead tbody tr th td svg rect footer")
	attributes := strings.Fields("lang charset http-equiv content name class id href rel role aria-label aria-hidden viewbox preserveaspectratio width height x")
	for _, text := range hostile {
		all := poisonedAll(text)
		for _, reports := range [][]Report{all, all[1:2], all[3:]} {
			page := written(t, FormatHTML, reports, Options{Title: text, Tool: text})
			z := html.NewTokenizer(bytes.NewReader(page))
			for z.Next() != html.ErrorToken {
				token := z.Token()
				if token.Type != html.StartTagToken && token.Type != html.SelfClosingTagToken {
					continue
				}
				if !slices.Contains(elements, token.Data) {
					t.Errorf("%.40q makes an element %s", text, token.Data)
				}
				for _, a := range token.Attr {
					if !slices.Contains(attributes, strings.ToLower(a.Key)) {
						t.Errorf("%.40q makes an attribute %s of %s", text, a.Key, token.Data)
					}
					if a.Key == "href" && !strings.HasPrefix(a.Val, "#server-") && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") {
						t.Errorf("%.40q makes a link to %s", text, a.Val)
					}
				}
			}
		}
	}
}

func TestThePageNeedsNoNetwork(t *testing.T) {
	for name, reports := range samples() {
		page := written(t, FormatHTML, reports, Options{})
		if found := regexp.MustCompile(`(?i)(<link|<iframe|<img|<script|@import|url\(| style=| on[a-z]+=|\bsrc=)`).Find(page); found != nil {
			t.Errorf("%s: the page has %s", name, found)
		}
		if !bytes.Contains(page, []byte("default-src &#39;none&#39;")) && !bytes.Contains(page, []byte("default-src 'none'")) {
			t.Errorf("%s: no content security policy", name)
		}
		if name != "fleet" && len(page) > 60<<10 || len(page) > 2<<20 {
			t.Errorf("%s: the page has %d bytes", name, len(page))
		}
	}
}

// TestThePageIsQuietInABrowser opens pages in Chromium, from a file: nothing is said on the console, which is where a
// breach of the policy and a failed load would be told, and no script of a peer has run.
func TestThePageIsQuietInABrowser(t *testing.T) {
	all := []Report{old(), untrusted(), unreachable()}
	for _, text := range hostile {
		all = append(all, poisonedAll(text)...)
	}
	dom, console := browse(t, written(t, FormatHTML, all, Options{Title: "whole"}))
	if console != "" {
		t.Errorf("on the console: %s", console)
	}
	if !strings.Contains(dom, "<title>whole</title>") || !strings.Contains(dom, "Heartbleed") || !strings.Contains(dom, "</footer>") {
		t.Error("the page was taken over, or is not whole")
	}
}

// TestTheFixIsSeenAtOnce holds the order of the page: grade, name, verdict, and then the first thing to do with its piece
// of configuration, before any table.
func TestTheFixIsSeenAtOnce(t *testing.T) {
	page := string(written(t, FormatHTML, []Report{old()}, Options{}))
	at := -1
	for _, part := range []string{`aria-label="Grade F"`, "old.example:443</h1>", "4 things to mend", "Mend this first", "Heartbleed: the server gives away its memory", "Update OpenSSL, then", "apt-get update", "<table"} {
		body := strings.Index(page, "<body>")
		i := strings.Index(page[body:], part)
		if i <= at {
			t.Errorf("%q is not where it should be", part)
		}
		at = i
	}
}

// browse opens a page in Chromium and returns the document as it is then, and everything that went to the console.
func browse(t *testing.T, page []byte) (dom, console string) {
	t.Helper()
	chromium := pkitest.Program(t, "chromium")
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom",
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append(args, "file://"+file)...)
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	for line := range strings.SplitSeq(errs.String(), "\n") {
		if strings.Contains(line, "CONSOLE") {
			console += line + "\n"
		}
	}
	return out.String(), console
}

// TestWhiteLettersCanBeRead computes the contrast of white text on every colour that stands behind a grade, on the badge
// and in both modes of the page (WCAG 2, at least 4.5 to 1).
func TestWhiteLettersCanBeRead(t *testing.T) {
	css, err := pageFiles.ReadFile("html/page.css")
	if err != nil {
		t.Fatal(err)
	}
	colors := map[string]string{}
	for _, l := range letters {
		colors["badge "+string(l)] = colorOf(l)
	}
	for i, m := range regexp.MustCompile(`--(good|ok|mid|low|bad|none): (#[0-9a-f]{6})`).FindAllStringSubmatch(string(css), -1) {
		colors[fmt.Sprintf("%s (%d)", m[1], i)] = m[2]
	}
	if len(colors) < len(letters)+12 {
		t.Errorf("only %d colours were found", len(colors))
	}
	for name, c := range colors {
		var rgb [3]float64
		for i := range rgb {
			n, err := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			if v := float64(n) / 255; v <= 0.03928 {
				rgb[i] = v / 12.92
			} else {
				rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
			}
		}
		if contrast := 1.05 / (0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2] + 0.05); contrast < 4.5 {
			t.Errorf("%s, %s: %.2f to 1", name, c, contrast)
		}
	}
}
