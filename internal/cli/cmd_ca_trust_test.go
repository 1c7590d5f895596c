package cli

import "testing"

// TestCommandsCanBePasted: what a hint names is one word for a shell, whatever folders are called.
func TestCommandsCanBePasted(t *testing.T) {
	for text, want := range map[string]string{
		"/var/lib/tlswright": "/var/lib/tlswright", "~/x": "'~/x'", "/home/A B": "'/home/A B'", "/x;reboot": "'/x;reboot'", "/it's": `'/it'\''s'`, "$(id)": "'$(id)'", "": "''",
	} {
		if got := shellWord(text); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}
