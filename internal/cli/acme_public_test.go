package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

func TestNamesOfNoPublicCAAreRefusedAtOnce(t *testing.T) {
	for name, isPublic := range map[string]bool{
		"www.example.org": true, "*.example.org": true, "8.8.8.8": true, "2001:4860:4860::8888": true, "home.arpanet.org": true,
		"localhost": false, "app.localhost": false, "intranet": false, "printer.local": false, "db.internal": false, "nas.home.arpa": false,
		"127.0.0.1": false, "10.1.2.3": false, "::1": false, "fe80::1": false, "": false,
	} {
		if err := checkPublic(&cobra.Command{}, "letsencrypt", []string{"www.example.com", name}); (err == nil) != isPublic {
			t.Errorf("%q: %v", name, err)
		}
		if err := checkPublic(&cobra.Command{}, "own", []string{name}); err != nil {
			t.Errorf("%q is refused to the own CA: %v", name, err)
		}
	}
}

func TestWhatIsScannedElsewhere(t *testing.T) {
	for target, want := range map[string]bool{
		"localhost": false, "localhost:8443": false, "https://localhost:8443/x": false, "127.0.0.1": false, "127.9.0.1:443": false, "[::1]:443": false,
		"example.com": true, "10.0.0.1": true, "localhost.example.com": true, "https://example.com/localhost": true, "127.0.0.1.example.com:443": true, "127.0.0.0/30": true,
	} {
		if got := isElsewhere(target); got != want {
			t.Errorf("%q is elsewhere: %t", target, got)
		}
	}
}
