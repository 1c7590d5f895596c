package cli

import (
	"crypto/x509"
	"os"

	stores "github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/scan"
)

// scanStores are the trust stores that a scan judges chains by, each for itself: the files of --ca alone, or the system's
// roots, the estate's own CA and those of Java. A quick look does without Java's, which take longer to read than the look.
func (a *app) scanStores(files []string, isQuick bool) ([]scan.Store, error) {
	t, err := a.loadTrust(files)
	if err != nil {
		return nil, err
	}
	if !t.system {
		return []scan.Store{{Name: t.from, Roots: t.roots}}, nil
	}
	var all []scan.Store
	if pool, err := x509.SystemCertPool(); err == nil {
		all = append(all, scan.Store{Name: "system", System: pool})
	}
	if len(t.roots) > 0 {
		all = append(all, scan.Store{Name: t.from, Own: true, Roots: t.roots})
	}
	if !isQuick {
		if roots := javaRoots(); len(roots) > 0 {
			all = append(all, scan.Store{Name: "Java", Roots: roots})
		}
	}
	return all, nil
}

// javaRoots are the roots of this machine's Java; none where there is no Java, or its store cannot be read: it is one
// opinion more, not one that is needed. The file is read here, for Java's own tool takes longer than a scan.
func javaRoots() []*x509.Certificate {
	found, err := stores.Stores(stores.Options{})
	if err != nil {
		return nil
	}
	for _, s := range found {
		if s.Kind() != "java" {
			continue
		}
		if data, err := os.ReadFile(s.Where()); err == nil {
			return rootsOfStore(data)
		}
	}
	return nil
}

// rootsOfStore reads cacerts, which is JKS or PKCS #12.
func rootsOfStore(data []byte) []*x509.Certificate {
	password := []byte("changeit") // it protects nothing: every Java runtime ships with it
	if !jks.Is(data) {
		b, err := pkcs12.Decode(data, password)
		if err != nil {
			return nil
		}
		return b.Trusted
	}
	entries, err := jks.Decode(data, password, nil)
	if err != nil {
		return nil
	}
	var roots []*x509.Certificate
	for _, e := range entries {
		if e.Key == nil {
			roots = append(roots, e.Chain...)
		}
	}
	return roots
}

// readWeakKeys reads the lists of --weak-keys; nil where there are none.
func (a *app) readWeakKeys(files []string) (*scan.WeakKeys, error) {
	if len(files) == 0 {
		return nil, nil
	}
	const bound = 256 << 20 // four million keys of 64 digits
	var text []byte
	for _, file := range files {
		data, err := readFileWithin(file, bound)
		if err != nil {
			return nil, cannotRun(err, "--weak-keys")
		}
		text = append(append(text, data...), '\n')
	}
	list, err := scan.ParseWeakKeys(text)
	if err != nil {
		return nil, cannotRun(err, "--weak-keys")
	}
	return list, nil
}
