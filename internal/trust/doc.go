// Package trust puts a root certificate into the stores by which the programs of a machine decide whom to trust, takes
// it out again, and proves by a handshake that a store does what it was told.
//
// It knows the system's store (Debian, Fedora, SUSE and Arch lay it out differently), the NSS databases of Firefox and
// Chromium (a snap's and a flatpak's too), and Java's cacerts.
//
// It does NOT know which root deserves trust, and it asks nobody for a password: where the system's store needs root,
// the error says so.
package trust
