// Package devhttps is what trusted HTTPS on a developer's machine needs: a root that may certify local names and
// addresses and no others, certificates from it that live for days, the stores that trust it and the way back out of them,
// the environment for programs with stores of their own, and the pages that are shown while the application is not there.
//
// It does NOT know how requests are handed on (internal/gateway), whom to ask before a store is changed, or how anything is
// told to people: that is the command line's.
package devhttps
