package cli

import (
	"context"
	"errors"
	"time"

	"github.com/tlswright/tlswright/internal/keystore"
)

const (
	holdPatience = 15 * time.Second      // how long another process may take to issue
	holdPause    = 20 * time.Millisecond // between two looks
)

// holdLive takes the folder of a certificate before the certificate is made: what is on record and valid must not be lost
// because the folder cannot be written to. It waits for another process that is about to write there.
func (a *app) holdLive(ctx context.Context, dir string) (*keystore.Live, error) {
	ctx, cancel := context.WithTimeout(ctx, holdPatience)
	defer cancel()
	for {
		live, err := keystore.HoldLive(dir)
		var locked *keystore.LockedError
		switch {
		case err == nil:
			return live, nil
		case !errors.As(err, &locked):
			return nil, cannotRun(err, "the folder of the certificate")
		}
		select {
		case <-time.After(holdPause):
		case <-ctx.Done():
			return nil, cannotRun(err, "the folder of the certificate")
		}
	}
}

// letGo joins the error of letting a folder go to that of the command.
func letGo(live *keystore.Live, err *error) {
	if closeErr := live.Close(); closeErr != nil && *err == nil {
		*err = cannotRun(closeErr, "the folder of the certificate")
	}
}
