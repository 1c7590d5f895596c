// Package dashboard shows what a monitor has seen: pages for people, and the same as a JSON API for programs. It reads; what it may
// change is little - incidents are acknowledged, messages silenced for a while - and only for who brings the token or a client certificate.
//
// A page asks for nothing from elsewhere: style sheets, scripts and pictures are part of the program, and the content security
// policy lets no other in. All of it works without scripts, too; with them lists are searched while one types, and days are drawn.
//
// It does NOT know how things are looked at (internal/monitor), what they are worth (internal/watch) or how they are kept: what it reads
// it asks of a [Source].
package dashboard
