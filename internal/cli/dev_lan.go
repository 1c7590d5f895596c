package cli

import (
	"errors"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/tlswright/tlswright/internal/devhttps"
	"github.com/tlswright/tlswright/pki"
)

// devPhone is what a phone on the same network needs: where the application is, and where the root is. Nil: nobody asked
// for it.
type devPhone struct {
	URL    string `json:"url"`
	Root   string `json:"root"` // a page over plain HTTP: the phone does not trust us yet
	SHA256 string `json:"sha256"`

	server *http.Server
	l      net.Listener
}

// openPhone binds the page for phones, where the network is served.
func (s *devServer) openPhone() (*devPhone, error) {
	if !s.o.isLAN {
		return nil, nil
	}
	host := ""
	if a := devhttps.MainAddress(); a.IsValid() {
		host = a.String()
	} else if names := devhttps.LANNames(); len(names) > 0 {
		host = names[0]
	}
	if host == "" {
		return nil, &failure{kind: kindLocal, text: "--lan: this machine has no address of a private network",
			hint: "the local root certifies private addresses only; without --lan the application is there for this machine"}
	}
	p := &devPhone{URL: s.url(host), SHA256: devhttps.Fingerprint(s.ca.Root)}
	for port := s.port + 1; ; port++ {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err == nil {
			p.l, p.Root = l, "http://"+net.JoinHostPort(host, strconv.Itoa(port))+"/"
			break
		}
		if port > s.port+maxDevPorts || port >= 65535 {
			return nil, cannotRun(err, "--lan: the page with the root")
		}
	}
	p.server = &http.Server{
		Handler:           devhttps.Phone(s.ca.Root, p.URL),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(logNowhere{}, "", 0),
	}
	return p, nil
}

// logNowhere takes what strangers make net/http write.
type logNowhere struct{}

func (logNowhere) Write(b []byte) (int, error) { return len(b), nil }

// serve serves the page until the returned function is called.
func (p *devPhone) serve() (stop func() error) {
	if p == nil {
		return func() error { return nil }
	}
	ended := make(chan error, 1)
	go func() { ended <- p.server.Serve(p.l) }()
	return func() error {
		err := p.server.Close()
		if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		return err
	}
}

// close lets go of a page that is not served after all.
func (p *devPhone) close() error {
	if p == nil {
		return nil
	}
	return p.l.Close()
}

// text shows the two codes beside each other, or below each other where the terminal is narrow; without a terminal the
// addresses alone.
func (p *devPhone) text(out *stream) string {
	if p == nil {
		return ""
	}
	rows := []row{
		{label: "network", value: "everybody on it can reach the application", style: caution},
		{label: "fingerprint", value: p.SHA256},
		{label: "phone, once", value: pki.Printable(p.Root) + " (the root, to be installed)"},
		{label: "then", value: p.URL},
	}
	text := out.rows(rows)
	if out.width == 0 {
		return text
	}
	first, second := qrCode(p.Root), qrCode(p.URL)
	if len(first) == 0 || len(second) == 0 {
		return text
	}
	width := lipgloss.Width(first[0])
	if out.width < width+lipgloss.Width(second[0])+2 {
		return text + "\nthe root:\n" + out.code(first) + "the application:\n" + out.code(second)
	}
	var b strings.Builder
	b.WriteString(text + "\n  the root, once" + strings.Repeat(" ", max(width-14, 1)) + "the application\n")
	for i := range max(len(first), len(second)) {
		left, right := strings.Repeat(" ", width), ""
		if i < len(first) {
			left = out.codeLine(first[i])
		}
		if i < len(second) {
			right = out.codeLine(second[i])
		}
		b.WriteString("  " + left + "  " + right + "\n")
	}
	return b.String()
}

// qrCode draws a code with half blocks, two modules a character, light on dark with its margin; nil: the text is too long.
func qrCode(text string) []string {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return nil
	}
	const margin = 2 // the standard asks for 4: phones do with less, terminals have little room
	size := code.Bounds().Dx()
	isLight := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return y < size+margin
		}
		return !isDark(code, x, y)
	}
	var lines []string
	for y := -margin; y < size+margin; y += 2 {
		var b strings.Builder
		for x := -margin; x < size+margin; x++ {
			switch up, down := isLight(x, y), isLight(x, y+1); {
			case up && down:
				b.WriteRune('█')
			case up:
				b.WriteRune('▀')
			case down:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}

func isDark(code barcode.Barcode, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r < 0x8000
}

func (s *stream) code(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("  " + s.codeLine(l) + "\n")
	}
	return b.String()
}

// codeLine has a code light on dark whatever the colours of the terminal are: cameras want it so.
func (s *stream) codeLine(line string) string {
	if !s.isColor {
		return line
	}
	return lipgloss.NewStyle().Foreground(lipgloss.BrightWhite).Background(lipgloss.Black).Render(line)
}
