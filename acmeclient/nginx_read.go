package acmeclient

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// nginxConf is a whole configuration, as nginx -T tells of it.
type nginxConf struct {
	main   *nginxFile
	byName map[string]*nginxFile // by the name that nginx uses; two names may lead to one file
	names  []string              // in byName
}

// errMoving says that a file changed between nginx's reading and ours.
var errMoving = errors.New("the configuration is being changed by somebody else")

// readNginx takes the output of nginx -T apart. Each file is read from disk, too, and must be what nginx has read: so no
// comment in a configuration can pass for the heading of another file.
func readNginx(dump []byte) (*nginxConf, error) {
	const heading = "# configuration file "
	c := &nginxConf{byName: make(map[string]*nginxFile)}
	byReal := make(map[string]*nginxFile)
	for len(dump) > 0 {
		first, rest, _ := bytes.Cut(dump, []byte("\n"))
		name, ok := bytes.CutPrefix(first, []byte(heading))
		name, isWhole := bytes.CutSuffix(name, []byte(":"))
		if !ok || !isWhole || len(c.names) == maxNginxFiles {
			return nil, errors.New("nginx -T printed something that is not understood")
		}
		f, err := loadNginxFile(string(name), byReal)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(rest, f.text) {
			return nil, fmt.Errorf("%s: %w", f.path, errMoving)
		}
		dump = bytes.TrimPrefix(rest[len(f.text):], []byte("\n"))
		c.byName[string(name)] = f
		c.names = append(c.names, string(name))
		if c.main == nil {
			c.main = f
		}
	}
	if c.main == nil {
		return nil, errors.New("nginx -T printed nothing")
	}
	slices.Sort(c.names)
	return c, nil
}

func loadNginxFile(name string, byReal map[string]*nginxFile) (*nginxFile, error) {
	lies, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	if f := byReal[lies]; f != nil {
		return f, nil
	}
	info, err := os.Stat(lies)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxNginxFile {
		return nil, fmt.Errorf("%s is no file of a configuration, or too large", name)
	}
	text, err := os.ReadFile(lies)
	if err != nil {
		return nil, err
	}
	f, err := parseNginx(name, text)
	if err != nil {
		return nil, err
	}
	f.real = lies
	byReal[lies] = f
	return f, nil
}

// include lists the files that an include statement brings in: a name or a pattern, relative to the folder of the main file.
func (c *nginxConf) include(d *directive) []*nginxFile {
	args := d.args()
	if len(args) != 1 {
		return nil
	}
	pattern := args[0]
	if !strings.HasPrefix(pattern, "/") {
		pattern = path.Join(path.Dir(c.main.path), pattern)
	}
	var files []*nginxFile
	for _, name := range c.names {
		ok, err := path.Match(pattern, name)
		hidden := strings.HasPrefix(path.Base(name), ".") && !strings.HasPrefix(path.Base(pattern), ".") // as the shell sees it
		if ok && err == nil && !hidden || name == pattern {
			files = append(files, c.byName[name])
		}
	}
	return files
}

// flat lists statements with those of included files in the place of the include.
func (c *nginxConf) flat(statements []*directive, depth int) []*directive {
	var all []*directive
	for _, d := range statements {
		if d.name() != "include" || d.isBlock {
			all = append(all, d)
			continue
		}
		if depth < maxNginxDepth {
			for _, f := range c.include(d) {
				all = append(all, c.flat(f.top, depth+1)...)
			}
		}
	}
	return all
}

// nginxServer is a server block of HTTP.
type nginxServer struct {
	at      *directive
	all     []*directive // what is in it, included files taken in, and blocks not entered
	outside []*directive // what stands around it and holds in it, too
	names   []string
	listens []nginxListen
}

// servers finds the server blocks of HTTP in the order in which nginx reads them. Those of streams and mail are others.
func (c *nginxConf) servers() []*nginxServer {
	var all []*nginxServer
	seen := make(map[*directive]bool)
	for _, http := range c.flat(c.main.top, 0) {
		if http.name() != "http" || !http.isBlock {
			continue
		}
		outside := c.flat(http.block, 0)
		for _, d := range outside {
			if d.name() != "server" || !d.isBlock || seen[d] {
				continue
			}
			seen[d] = true
			s := &nginxServer{at: d, all: c.flat(d.block, 0), outside: outside}
			for _, in := range s.find("server_name") {
				for _, n := range in.args() {
					s.names = append(s.names, nginxName(n))
				}
			}
			isOn := slices.ContainsFunc(s.find("ssl"), func(d *directive) bool { return slices.Equal(d.args(), []string{"on"}) })
			for _, in := range s.find("listen") {
				s.listens = append(s.listens, parseListen(in, isOn))
			}
			all = append(all, s)
		}
	}
	return all
}

// nginxName is a server name in small letters; patterns are left as they are.
func nginxName(n string) string {
	if strings.HasPrefix(n, "~") {
		return n
	}
	return strings.ToLower(n)
}

// find lists the statements of a name within the block.
func (s *nginxServer) find(name string) []*directive { return named(s.all, name) }

func named(all []*directive, name string) []*directive {
	var found []*directive
	for _, d := range all {
		if d.name() == name {
			found = append(found, d)
		}
	}
	return found
}

// effective is what a setting of one value or list says in the block: its own, or that of outside.
func (s *nginxServer) effective(name string) (args []string, isOwn bool) {
	if own := s.find(name); len(own) > 0 {
		return own[len(own)-1].args(), true
	}
	if around := named(s.outside, name); len(around) > 0 {
		return around[len(around)-1].args(), false
	}
	return nil, false
}

// place is the file and line of the block.
func (s *nginxServer) place() string {
	return fmt.Sprintf("%s:%d", s.at.file.path, s.at.file.line(s.at.start))
}

// nginxListen is an address that a server listens on.
type nginxListen struct {
	at       *directive
	host     string // as it stands there: "", "*", "[::]", "127.0.0.1", "unix:/run/web"
	port     string // "" of a socket
	isTLS    bool
	isQUIC   bool
	isProxy  bool // each connection begins with the PROXY protocol
	isUnix   bool
	isListed bool // default_server
}

// parseListen reads "listen ADDRESS PARAMETERS".
func parseListen(d *directive, allTLS bool) nginxListen {
	l := nginxListen{at: d, isTLS: allTLS}
	args := d.args()
	if len(args) == 0 {
		return l
	}
	address := args[0]
	switch i := strings.LastIndexByte(address, ':'); {
	case strings.HasPrefix(address, "unix:"):
		l.host, l.isUnix = address, true
	case strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]"):
		l.host, l.port = address, "80"
	case i >= 0:
		l.host, l.port = address[:i], address[i+1:]
	case strings.Trim(address, "0123456789") == "":
		l.port = address
	default:
		l.host, l.port = address, "80"
	}
	for _, a := range args[1:] {
		switch a {
		case "ssl":
			l.isTLS = true
		case "quic", "http3":
			l.isQUIC = true
		case "proxy_protocol":
			l.isProxy = true
		case "default_server", "default":
			l.isListed = true
		}
	}
	return l
}

// key is the address in one spelling, for comparing.
func (l nginxListen) key() string {
	host := l.host
	if host == "" || host == "0.0.0.0" {
		host = "*"
	}
	return host + " " + l.port
}
