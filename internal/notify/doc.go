// Package notify tells people: by e-mail, to Slack, to a webhook that checks a signature, or by a command.
//
// A channel takes one notice at a time and says whether it arrived. It keeps nothing and tries nothing twice: whoever
// calls it does that, from a queue on disk (internal/history). Every message carries the notice's identity, so that a
// receiver can tell a repetition. Passwords, keys and secret addresses come from files and are in no error and no log.
//
// It does NOT know when somebody is to be told (internal/incident).
package notify
