package devhttps

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/jks"
)

// The files for programs that read their roots from a file of their own.
const (
	bundleFile = "bundle.pem"  // the machine's roots, and ours
	baseFile   = "bundle.from" // names the file that the machine's were in
	javaFile   = "java.jks"    // the same as bundleFile, for Java
)

// javaPassword protects nothing: Java wants one.
const javaPassword = "changeit"

// Variable is one variable of the environment.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	For   string `json:"for"` // which programs read it
}

// EnvOptions say what the environment is like now. Java has its variable only where it is wanted: each Java program says on
// standard error that it has seen it.
type EnvOptions struct {
	Getenv func(string) string
	Java   bool
}

// Environment writes the files that the variables name, and gives the variables. Programs that would trust nothing but the
// file get the machine's roots in it, too; where these cannot be found, they get no variable, and all is false.
func (c *CA) Environment(o EnvOptions) (vars []Variable, all bool, err error) {
	root := c.RootFile()
	vars = []Variable{{"NODE_EXTRA_CA_CERTS", root, "Node, Bun"}, {"DENO_CERT", root, "Deno"}}
	text, err := c.baseBundle(o.Getenv)
	if err != nil || text == nil {
		return vars, false, err
	}
	ours := pki.AppendCertificatePEM(nil, c.Root.Raw)
	if !bytes.Contains(text, bytes.TrimSpace(ours)) {
		text = append(append(bytes.TrimRight(text, "\n"), '\n'), ours...)
	}
	bundle := filepath.Join(c.Dir, bundleFile)
	if err := keystore.WriteFile(bundle, text, 0o644); err != nil {
		return nil, false, err
	}
	for _, v := range [][2]string{
		{"SSL_CERT_FILE", "OpenSSL, Python, Ruby, PHP, Go"}, {"REQUESTS_CA_BUNDLE", "Python's requests, pip"}, {"CURL_CA_BUNDLE", "curl"},
		{"GIT_SSL_CAINFO", "git"}, {"AWS_CA_BUNDLE", "AWS command line"}, {"CARGO_HTTP_CAINFO", "Cargo"},
	} {
		vars = append(vars, Variable{v[0], bundle, v[1]})
	}
	if !o.Java {
		return vars, true, nil
	}
	file, err := c.writeJavaStore(text)
	if err != nil {
		return nil, false, err
	}
	return append(vars, Variable{"JAVA_TOOL_OPTIONS", javaOptions(o.Getenv("JAVA_TOOL_OPTIONS"), file), "Java"}), true, nil
}

// baseBundle is what the user's programs trust without us: the file that SSL_CERT_FILE names, or, where that is ours by now,
// named before, or else the system's. Nil: there is none of these.
func (c *CA) baseBundle(getenv func(string) string) ([]byte, error) {
	ours, notes := filepath.Join(c.Dir, bundleFile), filepath.Join(c.Dir, baseFile)
	named := getenv("SSL_CERT_FILE")
	if named == ours {
		before, err := os.ReadFile(notes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		named = string(before)
	}
	for _, file := range []string{named, trust.SystemBundle(), "/etc/ssl/cert.pem"} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("read the machine's roots: %w", err)
		}
		return text, keystore.WriteFile(notes, []byte(file), 0o600)
	}
	return nil, nil
}

// writeJavaStore writes the roots of a bundle in the form that Java reads. Those that cannot be read are left out, as Java
// would.
func (c *CA) writeJavaStore(bundle []byte) (file string, err error) {
	ders, err := pki.CertificatesPEM(bundle)
	if err != nil {
		return "", fmt.Errorf("read the machine's roots: %w", err)
	}
	var entries []jks.Entry
	for i, der := range ders {
		if cert, err := pki.ParseCertificatesPEM(pki.AppendCertificatePEM(nil, der)); err == nil {
			entries = append(entries, jks.Entry{Alias: fmt.Sprintf("root-%d", i), Chain: cert})
		}
	}
	text, err := jks.Encode(entries, []byte(javaPassword))
	if err != nil {
		return "", err
	}
	file = filepath.Join(c.Dir, javaFile)
	return file, keystore.WriteFile(file, text, 0o644)
}

// javaOptions adds the store to the options that are there; those of an earlier call are replaced.
func javaOptions(before, file string) string {
	const option = "-Djavax.net.ssl.trustStore"
	var kept []string
	if !strings.Contains(before, option) {
		kept = strings.Fields(before)
	} else {
		for _, f := range strings.Fields(before) {
			if !strings.HasPrefix(strings.Trim(f, `"'`), option) {
				kept = append(kept, f)
			}
		}
	}
	first := option + "=" + file
	if strings.ContainsAny(file, " \t") {
		first = `"` + first + `"`
	}
	return strings.Join(append(kept, first, option+"Type=JKS", option+"Password="+javaPassword), " ")
}

// Shells are the languages in which [Script] speaks.
func Shells() []string { return []string{"sh", "fish", "powershell"} }

// Script sets variables in the language of a shell, or with unset forgets them.
func Script(shell string, vars []Variable, unset bool) string {
	var b strings.Builder
	for _, v := range vars {
		switch {
		case shell == "fish" && unset:
			fmt.Fprintf(&b, "set -e %s\n", v.Name)
		case shell == "fish":
			fmt.Fprintf(&b, "set -gx %s '%s'\n", v.Name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v.Value))
		case shell == "powershell" && unset:
			fmt.Fprintf(&b, "Remove-Item Env:%s -ErrorAction SilentlyContinue\n", v.Name)
		case shell == "powershell":
			fmt.Fprintf(&b, "$env:%s = '%s'\n", v.Name, strings.ReplaceAll(v.Value, `'`, `''`))
		case unset:
			fmt.Fprintf(&b, "unset %s\n", v.Name)
		default:
			fmt.Fprintf(&b, "export %s='%s'\n", v.Name, strings.ReplaceAll(v.Value, `'`, `'\''`))
		}
	}
	return b.String()
}

// Export writes the root for other machines, containers above all, and gives the lines that a Dockerfile needs.
func (c *CA) Export(dir string) (file, dockerfile string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	file = filepath.Join(dir, "tlswright-dev.crt")
	if err := keystore.WriteFile(file, pki.AppendCertificatePEM(nil, c.Root.Raw), 0o644); err != nil {
		return "", "", err
	}
	const inside = "/usr/local/share/ca-certificates/tlswright-dev.crt"
	return file, "COPY tlswright-dev.crt " + inside + "\n" +
		"RUN mkdir -p /etc/ssl/certs && cat " + inside + " >> /etc/ssl/certs/ca-certificates.crt\n" +
		"ENV NODE_EXTRA_CA_CERTS=" + inside + "\n", nil
}
