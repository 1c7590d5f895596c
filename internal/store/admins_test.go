package store

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func adminsComeAndGo(_ *testing.T, f *fixture) {
	ctx := f.Context()
	alice := Admin{Digest: [32]byte{1}, Name: "alice", Roles: []string{"read", "revoke"}, NotAfter: f.now.Add(time.Hour), CreatedAt: f.now}
	second := alice
	second.Digest, second.Roles = [32]byte{2}, nil
	f.must(f.AddAdmin(ctx, alice, f.by()))
	f.must(f.AddAdmin(ctx, second, f.by()))
	if err := f.AddAdmin(ctx, alice, f.by()); !errors.Is(err, ErrTaken) {
		f.Errorf("one certificate, two admins: %v", err)
	}
	got, err := f.Admin(ctx, alice.Digest)
	if err != nil || got.Name != "alice" || !slices.Equal(got.Roles, alice.Roles) || !got.NotAfter.Equal(alice.NotAfter) || !got.RemovedAt.IsZero() {
		f.Errorf("%+v %v", got, err)
	}
	if got, err = f.Admin(ctx, second.Digest); err != nil || len(got.Roles) != 0 {
		f.Errorf("%+v %v", got, err)
	}
	if _, err := f.Admin(ctx, [32]byte{3}); !errors.Is(err, ErrNotFound) {
		f.Error(err)
	}
	if _, err := f.RemoveAdmin(ctx, "bob", f.by()); !errors.Is(err, ErrNotFound) {
		f.Error(err)
	}
	if n, err := f.RemoveAdmin(ctx, "alice", f.by()); err != nil || n != 2 {
		f.Errorf("%d %v", n, err)
	}
	if _, err := f.Admin(ctx, alice.Digest); !errors.Is(err, ErrNotFound) {
		f.Error("an admin who was removed may act: ", err)
	}
	all, err := f.Admins(ctx)
	if err != nil || len(all) != 2 || all[0].RemovedAt.IsZero() {
		f.Errorf("%+v %v", all, err)
	}
	if entries, err := f.AuditPage(ctx, AuditQuery{Action: ActionAdmin}); err != nil || len(entries) != 3 || entries[2].Detail != "alice may nothing any more" {
		f.Errorf("%+v %v", entries, err)
	}
}
