package cli

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// extensionView is one extension taken apart.
type extensionView struct {
	oid      string
	name     string // "" where the extension is not known
	critical bool
	raw      []byte
	lines    []string // what it says, for people
	value    any      // what it says, for --json; nil where the extension is not known
	problem  string   // why it could not be read to its end
}

// extensionJSON is an extension in --json. The names are stable.
type extensionJSON struct {
	OID      string `json:"oid"`
	Name     string `json:"name,omitempty"`
	Critical bool   `json:"critical"`
	Value    any    `json:"value,omitempty"` // by kind; absent where the extension is not known
	Hex      string `json:"hex"`             // the value as it stands
	Problem  string `json:"problem,omitempty"`
}

func (x extensionView) json() extensionJSON {
	return extensionJSON{x.oid, x.name, x.critical, x.value, hex.EncodeToString(x.raw), x.problem}
}

// nameJSON is a general name in --json.
type nameJSON struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

func newNamesJSON(names []cert.GeneralName) []nameJSON {
	list := []nameJSON{}
	for _, n := range names {
		list = append(list, nameJSON{n.Kind.String(), generalNameValue(n)})
	}
	return list
}

// generalNameValue is the name as text: a peer's.
func generalNameValue(n cert.GeneralName) string {
	if n.Kind == cert.NameDirectory {
		return rawNameText(n.Raw)
	}
	return n.Text
}

// generalNameText is the name for people. DNS names and addresses need no word for what they are.
func generalNameText(n cert.GeneralName) string {
	text := pki.Printable(generalNameValue(n))
	switch n.Kind {
	case cert.NameDNS:
		return withUnicode(text)
	case cert.NameIP, cert.NameURI, cert.NameEmail:
		return text
	}
	return n.Kind.String() + " " + text
}

func generalNames(names []cert.GeneralName) []string {
	var texts []string
	for _, n := range names {
		texts = append(texts, generalNameText(n))
	}
	return texts
}

// newExtensionView takes an extension apart.
func newExtensionView(e cert.Extension) extensionView {
	x := extensionView{oid: e.ID(), name: oidName(e.ID()), critical: e.Critical, raw: e.Value}
	read := extensionReaders[x.oid]
	if read == nil {
		x.lines = []string{hexShort(e.Value)}
		return x
	}
	if err := read(&x, e.Value); err != nil {
		x.problem = "malformed"
		x.lines = append(x.lines, "malformed: "+hexShort(e.Value))
	}
	return x
}

// hexShort shows bytes that nobody can name, as far as fits.
func hexShort(b []byte) string {
	const most = 32
	if len(b) <= most {
		return fmt.Sprintf("%s, %x", countOf(len(b), "byte"), b)
	}
	return fmt.Sprintf("%s, %x…", countOf(len(b), "byte"), b[:most])
}

// extensionReaders put an extension into words and values, by its identifier.
var extensionReaders = map[string]func(*extensionView, []byte) error{
	cert.OIDBasicConstraints:  readBasicConstraints,
	cert.OIDKeyUsage:          readKeyUsage,
	cert.OIDExtendedKeyUsage:  readPurposes,
	cert.OIDSubjectKeyID:      readSubjectKeyID,
	cert.OIDAuthorityKeyID:    readAuthorityKeyID,
	cert.OIDSubjectAltName:    readAltNames,
	"2.5.29.18":               readAltNames,
	cert.OIDNameConstraints:   readNameConstraints,
	cert.OIDCertificatePolicy: readPolicies,
	"2.5.29.33":               readMappings,
	"2.5.29.36":               readPolicyConstraints,
	"2.5.29.54":               readInhibit,
	cert.OIDCRLDistribution:   readPoints,
	"2.5.29.46":               readPoints,
	cert.OIDAuthorityInfo:     readAccess,
	"1.3.6.1.5.5.7.1.11":      readAccess,
	cert.OIDTLSFeature:        readFeatures,
	cert.OIDSignedTimestamps:  readTimestamps,
	"1.3.6.1.4.1.11129.2.4.3": readMark,
	"1.3.6.1.5.5.7.48.1.5":    readMark,
	"1.3.6.1.4.1.44363.44":    readMark,
	"2.16.840.1.113730.1.1":   readNetscapeType,
	"2.16.840.1.113730.1.13":  readString,
	"1.3.6.1.4.1.311.20.2":    readString,
}

func readBasicConstraints(x *extensionView, value []byte) error {
	isCA, pathLen, err := cert.ReadBasicConstraints(value)
	v := map[string]any{"ca": isCA}
	text := "no"
	switch {
	case isCA && pathLen == 0:
		text = "yes, for leaves only: no CA below it (path length 0)"
	case isCA && pathLen > 0:
		text = fmt.Sprintf("yes, with at most %s below it in a row (path length %d)", countOf(pathLen, "CA"), pathLen)
	case isCA:
		text = "yes, with any number of CAs below it"
	}
	if pathLen >= 0 {
		v["path_len"] = pathLen
	}
	x.lines, x.value = []string{text}, v
	return err
}

func readKeyUsage(x *extensionView, value []byte) error {
	bits, err := cert.ReadBits(value)
	var names []string
	for _, b := range bits {
		if b > 8 {
			names = append(names, fmt.Sprintf("bit %d", b))
			continue
		}
		names = append(names, cert.KeyUsage(1<<b).String())
	}
	x.lines, x.value = []string{strings.Join(names, ", ")}, orEmpty(names)
	return err
}

// orEmpty makes a list that is [] in JSON, never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func readPurposes(x *extensionView, value []byte) error {
	ids, err := cert.ReadIdentifiers(value)
	type purpose struct {
		OID  string `json:"oid"`
		Name string `json:"name,omitempty"`
	}
	list, texts := []purpose{}, []string{}
	for _, id := range ids {
		list = append(list, purpose{id, oidName(id)})
		texts = append(texts, oidText(id))
	}
	x.lines, x.value = texts, list
	return err
}

func readSubjectKeyID(x *extensionView, value []byte) error {
	id, err := cert.ReadOctets(value)
	x.lines, x.value = []string{hex.EncodeToString(id)}, hex.EncodeToString(id)
	return err
}

func readAuthorityKeyID(x *extensionView, value []byte) error {
	a, err := cert.ReadAuthorityKeyID(value)
	v := map[string]any{}
	if a.KeyID != nil {
		v["key_id"] = hex.EncodeToString(a.KeyID)
		x.lines = append(x.lines, hex.EncodeToString(a.KeyID))
	}
	if len(a.Issuer) > 0 {
		v["issuer"] = newNamesJSON(a.Issuer)
		x.lines = append(x.lines, generalNames(a.Issuer)...)
	}
	if a.Serial != nil {
		v["serial"] = hex.EncodeToString(a.Serial)
		x.lines = append(x.lines, "serial "+hex.EncodeToString(a.Serial))
	}
	x.value = v
	return err
}

func readAltNames(x *extensionView, value []byte) error {
	names, err := cert.ReadNames(value)
	x.lines, x.value = generalNames(names), newNamesJSON(names)
	return err
}

func readNameConstraints(x *extensionView, value []byte) error {
	permitted, excluded, err := cert.ReadNameConstraints(value)
	for _, n := range permitted {
		x.lines = append(x.lines, "only below "+n.Kind.String()+" "+pki.Printable(generalNameValue(n)))
	}
	for _, n := range excluded {
		x.lines = append(x.lines, "never below "+n.Kind.String()+" "+pki.Printable(generalNameValue(n)))
	}
	x.value = map[string]any{"permitted": newNamesJSON(permitted), "excluded": newNamesJSON(excluded)}
	return err
}

// policyJSON is a certificate policy in --json.
type policyJSON struct {
	OID     string   `json:"oid"`
	Name    string   `json:"name,omitempty"`
	CPS     []string `json:"cps,omitempty"`
	Notices []string `json:"notices,omitempty"`
}

func readPolicies(x *extensionView, value []byte) error {
	policies, err := cert.ReadPolicies(value)
	list := []policyJSON{}
	for _, p := range policies {
		list = append(list, policyJSON{p.ID, oidName(p.ID), p.CPS, p.Notices})
		x.lines = append(x.lines, policyText(p))
	}
	x.value = list
	return err
}

func policyText(p cert.Policy) string {
	text := oidText(p.ID)
	for _, s := range p.CPS {
		text += ", " + pki.Printable(s)
	}
	for _, s := range p.Notices {
		text += ", \"" + pki.Printable(s) + "\""
	}
	return text
}

func readMappings(x *extensionView, value []byte) error {
	pairs, err := cert.ReadPolicyMappings(value)
	type mapping struct {
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
	}
	list := []mapping{}
	for _, p := range pairs {
		list = append(list, mapping{p[0], p[1]})
		x.lines = append(x.lines, oidText(p[0])+" of the issuer is "+oidText(p[1])+" here")
	}
	x.value = list
	return err
}

func readPolicyConstraints(x *extensionView, value []byte) error {
	explicit, mapping, err := cert.ReadPolicyConstraints(value)
	v := map[string]any{}
	if explicit >= 0 {
		v["require_explicit_policy"] = explicit
		x.lines = append(x.lines, fmt.Sprintf("policies must be explicit after %s", countOf(explicit, "certificate")))
	}
	if mapping >= 0 {
		v["inhibit_policy_mapping"] = mapping
		x.lines = append(x.lines, fmt.Sprintf("policies are not mapped after %s", countOf(mapping, "certificate")))
	}
	x.value = v
	return err
}

func readInhibit(x *extensionView, value []byte) error {
	n, err := cert.ReadNumber(value)
	if err == nil {
		x.lines, x.value = []string{"anyPolicy counts for nothing after " + n + " certificates"}, n
	}
	return err
}

// reasonNames are the bits of ReasonFlags (RFC 5280, Section 4.2.1.13).
var reasonNames = []string{"unused", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
	"certificateHold", "privilegeWithdrawn", "aACompromise"}

func readPoints(x *extensionView, value []byte) error {
	points, err := cert.ReadDistributionPoints(value)
	type point struct {
		Names   []nameJSON `json:"names"`
		Reasons []string   `json:"reasons,omitempty"`
		Issuer  []nameJSON `json:"issuer,omitempty"`
	}
	list := []point{}
	for _, p := range points {
		j := point{Names: newNamesJSON(p.Names)}
		text := strings.Join(generalNames(p.Names), ", ")
		if p.Relative != nil {
			text += "relative name " + hexShort(p.Relative)
		}
		if len(p.Issuer) > 0 {
			j.Issuer = newNamesJSON(p.Issuer)
			text += ", by " + strings.Join(generalNames(p.Issuer), ", ")
		}
		if p.Reasons != nil {
			j.Reasons = reasonsOf(p.Reasons)
			text += ", for " + strings.Join(j.Reasons, ", ")
		}
		list = append(list, j)
		x.lines = append(x.lines, strings.TrimPrefix(text, ", "))
	}
	x.value = list
	return err
}

// reasonsOf names the bits of a BIT STRING's content octets.
func reasonsOf(content []byte) []string {
	names := []string{}
	for i, name := range reasonNames {
		if at := 1 + i/8; at < len(content) && content[at]>>(7-i%8)&1 == 1 {
			names = append(names, name)
		}
	}
	return names
}

func readAccess(x *extensionView, value []byte) error {
	all, err := cert.ReadAccess(value)
	type access struct {
		Method   string   `json:"method"`
		Name     string   `json:"name,omitempty"`
		Location nameJSON `json:"location"`
	}
	list := []access{}
	for _, a := range all {
		list = append(list, access{a.Method, oidName(a.Method), newNamesJSON([]cert.GeneralName{a.Location})[0]})
		x.lines = append(x.lines, oidText(a.Method)+" "+generalNameText(a.Location))
	}
	x.value = list
	return err
}

func readFeatures(x *extensionView, value []byte) error {
	features, err := cert.ReadFeatures(value)
	for _, f := range features {
		switch f {
		case 5:
			x.lines = append(x.lines, "status_request (5): the server must staple an OCSP response")
		case 17:
			x.lines = append(x.lines, "status_request_v2 (17)")
		default:
			x.lines = append(x.lines, fmt.Sprintf("TLS extension %d", f))
		}
	}
	x.value = orEmpty(features)
	return err
}

// readMark is for extensions that say all there is to say by being there.
func readMark(x *extensionView, _ []byte) error {
	texts := map[string]string{
		"1.3.6.1.4.1.11129.2.4.3": "a precertificate, for Certificate Transparency logs alone: never to be accepted",
		"1.3.6.1.5.5.7.48.1.5":    "an OCSP responder whose own revocation need not be checked",
		"1.3.6.1.4.1.44363.44":    "may delegate to short-lived keys (RFC 9345)",
	}
	x.lines, x.value = []string{texts[x.oid]}, true
	return nil
}

func readNetscapeType(x *extensionView, value []byte) error {
	bits, err := cert.ReadBits(value)
	words := []string{"SSL client", "SSL server", "S/MIME", "object signing", "reserved", "SSL CA", "S/MIME CA", "object signing CA"}
	names := []string{}
	for _, b := range bits {
		if b < len(words) {
			names = append(names, words[b])
		}
	}
	x.lines, x.value = []string{strings.Join(names, ", ")}, names
	return err
}

func readString(x *extensionView, value []byte) error {
	text, err := cert.ReadText(value)
	if err == nil {
		x.lines, x.value = []string{pki.Printable(text)}, text
	}
	return err
}
