// Package cli is the command line of tlswright: one file cmd_<name>.go for each command, ui.go with the rules for
// text on a terminal, exit.go with the exit codes.
//
// It knows flags, files named by flags, the words in which results and failures are told to a person, and the stable
// names in which --json tells them to a program. It does not know protocols: a handshake, a certificate and a trust
// decision come from the packages below, and this package only asks and reports. Nothing imports it but the main
// package.
package cli
