// Command release makes what goes out beside the program: the licences of all that is
// linked into it, a list of it for machines (an SBOM), archives; and it reads
// the source as other systems would. scripts/dist.sh and scripts/check.sh call it.
//
//	go run ./packaging/release licences -check linux/amd64 windows/amd64
//	go run ./packaging/release licences linux/amd64 >THIRD-PARTY-LICENSES
//	go run ./packaging/release types windows/amd64 darwin/arm64
//	go run ./packaging/release sbom BINARY >BINARY.cdx.json
//	go run ./packaging/release pack FOLDER ARCHIVE.tar.gz
//	go run ./packaging/release gzip FILE…
//
// It knows modules, licence texts and archive formats, and that the same input must give
// the same bytes. It does NOT know how the program is built or installed, and it is no
// lawyer: what it does not recognise it refuses, for a person to read.
package main
