#!/usr/bin/env bash
# What a newcomer does, and nothing else: a fresh clone, an empty home, the README's two commands. Only Go's caches
# are kept, or every run would fetch and compile the world anew.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'chmod -R u+w "$place" && rm -rf "$place"' EXIT
GOMODCACHE=$(go env GOMODCACHE)
GOCACHE=$(go env GOCACHE)
export GOMODCACHE GOCACHE HOME=$place/home
unset TLSWRIGHT_HOME XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME

if [ -n "$(git status --porcelain)" ]; then
	echo "accept: there are uncommitted changes; the clone is of the last commit" >&2
fi
git clone -q . "$place/tlswright"
mkdir "$HOME"
cd "$place/tlswright"
start=$SECONDS
go run ./cmd/tlswright tour </dev/null
echo "accept: the tour took $((SECONDS - start)) s, compilation included"
make test </dev/null
echo "accept: both commands passed in a fresh clone with an empty home"
