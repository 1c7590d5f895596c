// Package config reads what people write in YAML, strictly: an unknown key, a key
// written twice or a value of the wrong kind is an [*Error] that says in which line
// and column, and what to write instead.
//
// It knows the form of the files and what each key means. It does NOT read files
// itself, and whether a profile is sound is for package pki to say. Anchors, aliases,
// tags and merge keys are refused: nobody needs them here, and they are how small
// files grow large.
package config
