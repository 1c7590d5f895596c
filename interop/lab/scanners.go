package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scanner is a scanner of others.
type Scanner struct {
	Name, Program string
	// Ask runs it against a server and returns its report; a report without a word where it has no STARTTLS of that kind.
	Ask   func(ctx context.Context, l *Lab, dir string, c *Config) ([]byte, error)
	Parse func([]byte) (*Said, error)
	// Speaks says whether it is asked about a configuration: it knows the protocol of its upgrade.
	Speaks func(*Config) bool
	// Version asks it who it is.
	Version func(ctx context.Context) (string, error)
}

// Scanners are those that Debian has.
func Scanners() []Scanner {
	return []Scanner{
		{Name: "nmap", Program: "nmap", Ask: askNmap, Parse: ParseNmap,
			Speaks: speaks("", "smtp", "imap", "pop3", "lmtp", "ftp", "ldap", "xmpp", "postgres", "mysql", "nntp"), Version: versionLine("nmap", "Nmap version", "--version")},
		{Name: "sslscan", Program: "sslscan", Ask: askSSLScan, Parse: ParseSSLScan,
			Speaks:  speaks("", "smtp", "imap", "pop3", "ftp", "ldap", "xmpp", "xmpp-server", "postgres", "mysql", "rdp"),
			Version: versionLine("sslscan", "2.", "--no-colour", "--version")},
		{Name: "testssl.sh", Program: "testssl", Ask: askTestssl, Parse: ParseTestssl,
			Speaks: func(c *Config) bool {
				return c.testssl != "" && speaks("", "smtp", "imap", "pop3", "lmtp", "ftp", "ldap", "xmpp", "postgres", "mysql", "nntp")(c)
			},
			Version: versionLine("testssl", "testssl.sh", "--version")},
	}
}

func speaks(protocols ...string) func(*Config) bool {
	return func(c *Config) bool { return slices.Contains(protocols, c.StartTLS) }
}

// versionLine finds the line of a program's version in what it prints.
func versionLine(program, mark string, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		out, err := output(ctx, "", nil, program, args...)
		for _, line := range strings.Split(string(out), "\n") {
			if strings.Contains(line, mark) {
				words := strings.Fields(strings.Map(printable, line))
				return strings.TrimSuffix(strings.Join(words[:min(3, len(words))], " "), " from"), nil
			}
		}
		return "", fmt.Errorf("%s does not say its version: %w", program, err)
	}
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// scannerTimeout ends a scanner that hangs.
const scannerTimeout = 15 * time.Minute

// testsslSections are what of testssl.sh's work is compared: versions and server defaults; where suites are the point, order,
// groups and each suite. It takes a minute or two for all of them.
func testsslSections(c *Config) []string {
	switch c.testssl {
	case "whole":
		return nil
	case "suites":
		return []string{"-p", "-P", "-S", "-f", "-E"}
	}
	return []string{"-p", "-S"}
}

func askTestssl(ctx context.Context, l *Lab, dir string, c *Config) ([]byte, error) {
	file := filepath.Join(dir, "testssl.json")
	args := []string{"--quiet", "--warnings", "batch", "--color", "0", "--ip", "127.0.0.1", "--add-ca", l.Root, "--jsonfile", file}
	if c.StartTLS != "" {
		args = append(args, "-t", c.StartTLS)
	}
	if c.StartTLS == "xmpp" {
		args = append(args, "--xmpphost", Host)
	}
	args = append(args, testsslSections(c)...)
	_, err := output(ctx, dir, nil, "testssl", append(args, fmt.Sprintf("%s:%d", Host, c.Port))...)
	text, readErr := os.ReadFile(file)
	if readErr != nil { // its exit code counts findings
		return nil, fmt.Errorf("testssl.sh wrote nothing: %w", err)
	}
	return text, nil
}

func askNmap(ctx context.Context, _ *Lab, dir string, c *Config) ([]byte, error) {
	service := "https"
	if c.StartTLS != "" {
		service = map[string]string{"postgres": "postgresql"}[c.StartTLS]
		if service == "" {
			service = c.StartTLS
		}
	}
	// nmap goes by the name of the port's service.
	_, err := write(dir, "nmap-services", fmt.Sprintf("%s\t%d/tcp\t1.0\n", service, c.Port))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nmap.xml")
	if _, err := output(ctx, dir, nil, "nmap", "-Pn", "-n", "--unprivileged", "-p", strconv.Itoa(c.Port), "--datadir", dir,
		"--script", "+ssl-enum-ciphers,+sslv2", "--script-args", "tls.servername="+Host, "-oX", file, "127.0.0.1"); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

func askSSLScan(ctx context.Context, _ *Lab, dir string, c *Config) ([]byte, error) {
	file := filepath.Join(dir, "sslscan.xml")
	args := []string{"--no-colour", "--sni-name=" + Host, "--xml=" + file}
	switch c.StartTLS {
	case "":
	case "postgres":
		args = append(args, "--starttls-psql")
	case "rdp":
		args = append(args, "--rdp")
	case "xmpp-server":
		args = append(args, "--starttls-xmpp", "--xmpp-server")
	default:
		args = append(args, "--starttls-"+c.StartTLS)
	}
	_, err := output(ctx, dir, nil, "sslscan", append(args, c.Addr())...)
	text, readErr := os.ReadFile(file)
	if readErr != nil {
		return nil, fmt.Errorf("sslscan wrote nothing: %w", err)
	}
	return text, nil
}

// RunWhole lets a scanner look at a server and forgets what it says: testssl.sh all that it does by default, the others what
// they are asked in comparisons, too.
func (l *Lab) RunWhole(ctx context.Context, s Scanner, c *Config) error {
	dir, err := l.place(s.Program)
	if err != nil {
		return err
	}
	whole := *c
	whole.testssl = "whole"
	_, err = s.Ask(ctx, l, dir, &whole)
	return err
}

// Asked is what a scanner says about a server. With a folder to keep reports in, one that is there is read again instead.
func (l *Lab) Asked(ctx context.Context, s Scanner, c *Config, kept string) (*Said, error) {
	file := ""
	if kept != "" {
		name := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" :,'/", r) {
				return '-'
			}
			return r
		}, s.Name+"-"+c.Name)
		file = filepath.Join(kept, name)
		if text, err := os.ReadFile(file); err == nil {
			return s.Parse(text)
		}
	}
	dir, err := l.place(s.Program)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, scannerTimeout)
	defer cancel()
	text, err := s.Ask(ctx, l, dir, c)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return nil, err
		}
	}
	return s.Parse(text)
}
