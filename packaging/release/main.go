package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	if err := errors.Join(command(os.Args[1:], out), out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// command runs one command and writes what it makes to out.
func command(args []string, out io.Writer) error {
	switch {
	case len(args) > 1 && args[0] == "licences":
		check := args[1] == "-check"
		if check {
			args = args[1:]
		}
		modules, err := linked(args[1:])
		if err != nil {
			return err
		}
		if check {
			return report(out, modules)
		}
		return printLicences(out, modules)
	case len(args) > 1 && args[0] == "types":
		for _, platform := range args[1:] {
			if err := checkTypes(platform, "./..."); err != nil {
				return err
			}
		}
		return nil
	case len(args) == 2 && args[0] == "sbom":
		return sbom(out, args[1])
	case len(args) > 1 && args[0] == "gzip":
		return zipFiles(args[1:])
	case len(args) == 3 && args[0] == "pack":
		at, err := sourceTime(os.Getenv("SOURCE_DATE_EPOCH"))
		if err != nil {
			return err
		}
		return pack(args[1], args[2], at)
	}
	return errors.New("usage: release licences [-check] OS/ARCH… | types OS/ARCH… | sbom BINARY | pack FOLDER ARCHIVE | gzip FILE…")
}

// sourceTime is the time that everything in an archive bears: that of the commit, in seconds since 1970. See
// https://reproducible-builds.org/specs/source-date-epoch/.
func sourceTime(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH does not say when the source was committed: set it to the seconds since 1970 (git log -1 --format=%ct)")
	}
	return time.Unix(n, 0).UTC(), nil
}
