package pki

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Profile names what a certificate is for.
type Profile string

// The profiles.
const (
	ProfileRoot         Profile = "root"         // signs intermediates
	ProfileIntermediate Profile = "intermediate" // signs leaves
	ProfileServer       Profile = "server"       // proves a TLS server
	ProfileClient       Profile = "client"       // proves a TLS client
	ProfilePeer         Profile = "peer"         // both
)

const day = 24 * time.Hour

// MaxLeafLifetime is the longest a leaf may live unless Request.AllowLong is set:
// browsers refuse server certificates that live longer.
const MaxLeafLifetime = 398 * day

// Backdate is how far before "now" a certificate starts to be valid by default, so
// that a peer whose clock is a little slow does not refuse it.
const Backdate = 5 * time.Minute

// rules are what a profile puts into a certificate.
type rules struct {
	ca       bool
	pathLen  int // -1: no limit
	lifetime time.Duration
	usage    x509.KeyUsage
	extended []x509.ExtKeyUsage
	needsSAN bool
}

// Profiles lists the profiles in the order in which help texts show them.
func Profiles() []Profile {
	return []Profile{ProfileServer, ProfileClient, ProfilePeer, ProfileIntermediate, ProfileRoot}
}

// ParseProfile reads the name of a profile.
func ParseProfile(s string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if string(p) == s {
			return p, nil
		}
		names = append(names, string(p))
	}
	return "", fmt.Errorf("unknown profile %q, not one of %s", Printable(s), strings.Join(names, ", "))
}

// rulesOf is the table of profiles. Leaves get digitalSignature only: TLS 1.3 and
// ECDHE suites never encrypt to a certificate's key.
func rulesOf(p Profile) (rules, error) {
	leaf := rules{lifetime: 90 * day, pathLen: -1, usage: x509.KeyUsageDigitalSignature}
	ca := rules{ca: true, usage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	switch p {
	case ProfileRoot:
		ca.pathLen, ca.lifetime = -1, 3650*day
		return ca, nil
	case ProfileIntermediate:
		ca.pathLen, ca.lifetime = 0, 1825*day
		return ca, nil
	case ProfileServer:
		leaf.extended, leaf.needsSAN = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, true
		return leaf, nil
	case ProfileClient:
		leaf.extended = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		return leaf, nil
	case ProfilePeer:
		leaf.extended, leaf.needsSAN = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, true
		return leaf, nil
	}
	return rules{}, fmt.Errorf("unknown profile %q", Printable(string(p)))
}
