package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tlswright/tlswright/internal/pkitest"
)

// browser is Chromium with a profile of its own, which notes what is said on its console and what it asks for.
type browser struct {
	*lab
	ctx context.Context

	mu      sync.Mutex
	console []string
	asked   []string
}

// browse starts Chromium on a lab. A machine without it skips the test; in CI it is there.
func (l *lab) browse(t *testing.T) *browser {
	t.Helper()
	path, home := pkitest.Program(t, "chromium"), t.TempDir()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Env("HOME="+home), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("disable-dev-shm-usage", true))
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	b := &browser{lab: l, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until it is gone, and its profile can be removed
		cancel()
		stop()
	})
	b.must(chromedp.Listen(ctx, b.note))
	for _, domain := range []cdp.Command[cdp.Empty, cdp.Empty]{runtime.Enable, log.Enable} {
		_, err := chromedp.Call(ctx, domain, cdp.Empty{})
		b.must(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	b.must(err)
	return b
}

// note keeps what must not happen.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, a := range e.Args {
			words = append(words, string(a.Value)+a.Description)
		}
		b.console = append(b.console, fmt.Sprintf("%s: %s", e.Type, strings.Join(words, " ")))
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.console = append(b.console, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.Fatalf("%v; on the console: %v", err, b.console)
	}
}

// open loads a page and waits until it stands.
func (b *browser) open(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.web.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// until waits for a condition in the page, or in the one that comes next.
func (b *browser) until(condition string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for {
		isSo, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if isSo {
			return
		}
		if ctx.Err() != nil {
			b.Fatalf("%s does not come (%v); on the console: %v", condition, err, b.console)
		}
		time.Sleep(10 * time.Millisecond) // a page that is being left cannot be waited in
	}
}

// evaluate evaluates an expression in the page.
func evaluate[T any](b *browser, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	b.must(err)
	return v
}

// quiet checks that nothing was said on the console, and nothing asked of another host.
func (b *browser) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.console {
		b.Errorf("on the console: %s", line)
	}
	own, err := url.Parse(b.web.URL)
	b.must(err)
	for _, address := range b.asked {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "data" && u.Scheme != "blob" && u.Host != own.Host {
			b.Errorf("the page asked for %s", address)
		}
	}
	if len(b.asked) < 5 {
		b.Errorf("only %d requests were seen", len(b.asked))
	}
}

// keep writes a picture of the page to the folder that TLSWRIGHT_PICTURES names, for people to look at.
func (b *browser) keep(name string) {
	b.Helper()
	dir := os.Getenv("TLSWRIGHT_PICTURES")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.must(os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}

func TestABrowserFindsItsWay(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	b := l.browse(t)
	b.do(chromedp.EmulateViewport(1280, 900))

	b.open("/")
	b.do(chromedp.KeyEvent("j")) // the first row: the worst incident
	b.until(`document.querySelector("tr.here a") === document.activeElement`)

	b.open("/targets")
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "q"`)
	evaluate[string](b, `document.activeElement.value = ""`) // the driver types the slash all the same
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "mail"))
	b.until(`document.querySelectorAll("#list tbody tr").length === 1 && location.search.includes("mail")`)
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("j"))
	b.until(`document.querySelector("tr.here a") === document.activeElement`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`location.pathname === "/target" && document.querySelector("h1")?.textContent === "mail.example:25"`)

	b.open("/target?name=shop.example:443")
	b.until(`document.querySelectorAll("figure[data-drawn] canvas").length === 2`)
	b.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("i"))
	b.until(`location.pathname === "/incidents" && document.querySelectorAll("tr[data-href]").length > 0`)
	b.quiet()
}

func TestABrowserAcknowledges(t *testing.T) {
	l := newLab(t, nil)
	l.estate()
	id := l.incidentOf("old.example:443")
	b := l.browse(t)
	b.open("/incident?id=" + id)
	b.do(chromedp.Click(chromedp.CSS(`a[href^="/login?"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name="token"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="name"]`), "Ada"), chromedp.SendKeys(chromedp.CSS(`input[name="token"]`), labToken+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS("#acknowledge")), chromedp.SendKeys(chromedp.CSS("#note"), "renewal <b>is</b> under way"), chromedp.Click(chromedp.CSS("#acknowledge")))
	b.until(`document.body.textContent.includes("renewal <b>is</b> under way")`)
	i, err := l.h.Incident(l.Context(), id)
	l.must(err)
	if i.Acknowledged == nil || i.Acknowledged.By != "Ada" || i.Acknowledged.Note != "renewal <b>is</b> under way" {
		t.Errorf("acknowledged: %+v", i.Acknowledged)
	}
	b.do(chromedp.Click(chromedp.CSS(`form[action="/silence"] button`)))
	b.until(`document.querySelectorAll('form[action="/silence/end"]').length === 1`)
	b.keep("incident")
	b.do(chromedp.Click(chromedp.CSS(`form[action="/silence/end"] button`)))
	b.until(`document.querySelectorAll('form[action="/silence/end"]').length === 0 && document.querySelector("#acknowledge")`)
	b.do(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	b.until(`location.pathname === "/" && document.querySelector('a[href^="/login"]') !== null`)
	b.quiet()
}

func TestPagesFitEveryScreen(t *testing.T) {
	lookAtPages(t, []string{"overview", "target", "incident"})
}

// TestAcceptAllPagesFitEveryScreen also leaves pictures of them where TLSWRIGHT_PICTURES says.
func TestAcceptAllPagesFitEveryScreen(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" && os.Getenv("TLSWRIGHT_PICTURES") == "" {
		t.Skip("make accept runs it")
	}
	lookAtPages(t, nil)
}

// lookAtPages looks for what sticks out to the right, in both colour schemes and on a phone; nil: on all pages.
func lookAtPages(t *testing.T, some []string) {
	l := newLab(t, nil)
	l.estate()
	b := l.browse(t)
	id := l.incidentOf("old.example:443")
	pages := map[string]string{"overview": "/", "targets": "/targets", "target": "/target?name=shop.example:443", "gone": "/target?name=gone.example:443", "certificates": "/certificates", "incidents": "/incidents?all=yes", "incident": "/incident?id=" + id, "api": "/api", "help": "/help"}
	for _, screen := range []struct {
		name  string
		width int64
		theme string
	}{{"light", 1280, "light"}, {"dark", 1280, "dark"}, {"phone", 400, "light"}, {"phone-dark", 400, "dark"}} {
		b.do(chromedp.EmulateViewport(screen.width, 900))
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.theme}}})
		b.must(err)
		for name, path := range pages {
			if some != nil && !slices.Contains(some, name) {
				continue
			}
			b.open(path)
			if name == "target" {
				b.until(`document.querySelectorAll("figure[data-drawn] canvas").length === 2`)
			}
			width, back := evaluate[int64](b, `document.documentElement.scrollWidth`), evaluate[string](b, `getComputedStyle(document.body).backgroundColor`)
			if width > screen.width {
				t.Errorf("%s on %s is %d wide", path, screen.name, width)
			}
			if isDark := strings.HasPrefix(back, "rgb(15"); isDark != (screen.theme == "dark") {
				t.Errorf("%s on %s has the background %s", path, screen.name, back)
			}
			b.keep(screen.name + "-" + name)
		}
	}
	b.quiet()
}
