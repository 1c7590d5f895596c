package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// FromEnvironment begins the name of a file with a secret where it is not in a file: "env:NAME" is the environment variable
// of that name.
const FromEnvironment = "env:"

func (r *monitorReader) channels(n node) error {
	list, err := n.list()
	if err != nil || len(list) > maxChannels {
		return fail(n.ast, "write each as - name: ops, kind: email, …", "%s is not a list of at most %d channels", n.label(), maxChannels)
	}
	for _, e := range list {
		c, err := readChannel(e)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.m.Channels, func(other Channel) bool { return other.Name == c.Name }) {
			return fail(e.ast, "choose another name", "two channels are called %s", c.Name)
		}
		r.m.Channels = append(r.m.Channels, c)
	}
	return nil
}

// channelKeys are the keys that each kind of channel has, beside those of all.
func channelKeys() map[string][]string {
	return map[string][]string{
		"email":   {"server", "security", "user", "password-file", "from", "to", "ca"},
		"slack":   {"url", "url-file", "ca"},
		"webhook": {"url", "url-file", "secret-file", "ca"},
		"command": {"command"},
	}
}

func readChannel(n node) (c Channel, err error) {
	c.Place.Line, c.Place.Column = nodePlace(n.ast)
	written := make(map[string]ast.Node)
	readers := map[string]func(node) error{
		"name":          func(n node) error { return setName(n, &c.Name) },
		"kind":          setWord(&c.Kind, map[string]string{"email": "email", "slack": "slack", "webhook": "webhook", "command": "command"}),
		"from-severity": setWord(&c.Least, map[string]string{"warning": "warning", "critical": "critical", "emergency": "emergency"}),
		"targets":       setTexts(&c.Targets),
		"url":           setText(&c.URL),
		"url-file":      setText(&c.URLFile),
		"secret-file":   setText(&c.Secret),
		"server":        setText(&c.Server),
		"security":      setWord(&c.Security, map[string]string{"starttls": "starttls", "tls": "tls", "none": "none"}),
		"user":          setText(&c.User),
		"password-file": setText(&c.Password),
		"from":          setText(&c.From),
		"to":            setTexts(&c.To),
		"ca":            setText(&c.CA),
		"command":       setWords(&c.Command),
	}
	for name, read := range readers {
		readers[name] = func(n node) error { written[name] = n.ast; return read(n) }
	}
	if err := eachOf(n, readers); err != nil {
		return c, err
	}
	if c.Kind == "" {
		return c, fail(n.ast, "add kind: email, slack, webhook or command", "%s has no kind", n.label())
	}
	c.Name = cmp.Or(c.Name, c.Kind)
	known := append(channelKeys()[c.Kind], "name", "kind", "from-severity", "targets")
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !slices.Contains(known, name) {
			return c, fail(written[name], fmt.Sprintf("channels of kind %s have: %s", c.Kind, strings.Join(channelKeys()[c.Kind], ", ")), "%s of a channel of kind %s means nothing", name, c.Kind)
		}
	}
	return c, checkChannel(n, &c, written)
}

// checkChannel finds what a channel lacks, and what does not go together.
func checkChannel(n node, c *Channel, written map[string]ast.Node) error {
	needed := map[string][]string{"email": {"server", "from", "to"}, "command": {"command"}}[c.Kind]
	for _, name := range needed {
		if written[name] == nil {
			return fail(n.ast, "add "+name+":", "channel %s needs %s", c.Name, name)
		}
	}
	switch {
	case c.Kind == "email":
		return checkMail(n, c, written)
	case c.URL != "" && c.URLFile != "":
		return fail(written["url-file"], "keep one of them", "channel %s has both url and url-file", c.Name)
	case c.Kind != "command" && c.URL == "" && c.URLFile == "":
		return fail(n.ast, "add url-file: with the name of a file that holds the address, which is a secret", "channel %s needs url or url-file", c.Name)
	}
	return nil
}

func checkMail(n node, c *Channel, written map[string]ast.Node) error {
	host, port, err := net.SplitHostPort(c.Server)
	number, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || portErr != nil || host == "" || number == 0:
		return fail(written["server"], "write it as smtp.example.com:587", "server %q is no host and port", c.Server)
	case c.User != "" && c.Password == "":
		return fail(written["user"], "add password-file: with the name of a file that holds it", "channel %s has a user, and no password-file", c.Name)
	case c.Password != "" && c.User == "":
		return fail(written["password-file"], "add user:, or take it out", "channel %s has a password, and no user", c.Name)
	case c.User != "" && c.Security == "none":
		return fail(written["security"], "take starttls or tls", "a password is not sent without TLS")
	}
	return nil
}
