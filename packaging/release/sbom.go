package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The parts of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/) that we write.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Time      string    `json:"timestamp,omitempty"`
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Licences   []licence  `json:"licenses,omitempty"`
		URL        string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		Licence *licenceID `json:"license"`
	}
	licenceID struct {
		ID string `json:"id"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// sbom writes what is in a program, read from the program itself; licences are added from the folders of the modules.
func sbom(out io.Writer, file string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	sum, err := sumOf(file)
	if err != nil {
		return err
	}
	settings := make(map[string]string)
	main := component{Type: "application", Ref: info.Main.Path, Name: "tlswright", Version: info.Main.Version, URL: packageURL(info.Main.Path, info.Main.Version),
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}}, Licences: named([]string{"Apache-2.0"})}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
		main.Properties = append(main.Properties, property{"go:build:" + s.Key, s.Value})
	}
	modules, err := linked([]string{settings["GOOS"] + "/" + settings["GOARCH"]})
	if err != nil {
		return err
	}
	sums := make(map[string]string)
	for _, d := range info.Deps {
		if d.Replace != nil {
			return fmt.Errorf("%s is built with a replaced %s", file, d.Path)
		}
		sums[d.Path] = d.Sum
	}
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Serial: serial(sum), Metadata: metadata{Time: settings["vcs.time"], Component: main}}
	all := dependency{Ref: main.Ref, DependsOn: []string{}}
	for _, m := range modules {
		ids, err := m.licences()
		if err != nil {
			return err
		}
		c := component{Type: "library", Ref: m.name, Name: m.name, Version: m.version, Licences: named(ids)}
		switch goSum, ok := sums[m.name]; {
		case ok:
			c.URL, c.Properties = packageURL(m.name, m.version), []property{{"go:module:h1", strings.TrimPrefix(goSum, "h1:")}}
			delete(sums, m.name)
		case m.name == "std":
			c.Version = info.GoVersion
			c.URL = packageURL(m.name, strings.TrimPrefix(info.GoVersion, "go"))
		}
		b.Components = append(b.Components, c)
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	if len(sums) > 0 {
		return fmt.Errorf("%s contains modules that this source does not know (%v): it was built from another one", filepath.Base(file), sums)
	}
	b.Dependencies = []dependency{all}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(b)
}

func sumOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), errors.Join(err, f.Close())
}

// serial is a name for the list that follows from the program: a UUID of version 8 (RFC 9562, Section 5.8).
func serial(sum []byte) string {
	id := [16]byte(sum)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// packageURL names a Go module as https://github.com/package-url/purl-spec does.
func packageURL(name, version string) string {
	return "pkg:golang/" + name + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// named leaves "blessing" as it stands: it is SPDX's name for what SQLite says.
func named(ids []string) []licence {
	var all []licence
	for _, id := range ids {
		all = append(all, licence{&licenceID{id}})
	}
	return all
}
