package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestManPagesRender sets every manual page as man(1) would, without a warning, and looks whether its parts are there.
func TestManPagesRender(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("groff is not installed, and CI=true")
		}
		t.Skip("groff is not installed: manual pages are not set")
	}
	pages, err := filepath.Glob(filepath.Join(manFolder, "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	sources, all := [][]byte{}, []byte{}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		sources, all = append(sources, data), append(all, data...)
	}
	// All in one run, which is a second in place of ten; where something is wrong, one by one, to say where.
	if set, complaints := renderMan(t, all); complaints != "" {
		for i, source := range sources {
			if _, complaints := renderMan(t, source); complaints != "" {
				t.Errorf("%s: %s", filepath.Base(pages[i]), complaints)
			}
		}
	} else if got := strings.Count(set, "\nSYNOPSIS\n"); got != len(pages) {
		t.Errorf("%d pages, but %d have a synopsis", len(pages), got)
	}
}

// TestManPageThatIsWrongIsNoticed shows the test above a page that must not pass.
func TestManPageThatIsWrongIsNoticed(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	if _, complaints := renderMan(t, []byte(".TH X 1\n.SH NAME\nx \\- y\n.nosuchmacro z\n")); complaints == "" {
		t.Error("a macro that does not exist is taken")
	}
}

// renderMan returns the text of pages as a terminal of 80 columns shows it, and what groff says about them.
func renderMan(t *testing.T, source []byte) (text, complaints string) {
	t.Helper()
	cmd := exec.Command("groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-P-cbou")
	cmd.Stdin = bytes.NewReader(source)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", err.Error() + "\n" + errOut.String()
	}
	return out.String(), errOut.String()
}
