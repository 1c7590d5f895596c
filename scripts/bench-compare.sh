#!/usr/bin/env bash
# Compares this tree with another revision: the bench of each is built in a place of its own, and the two take turns. A
# ratio above 1 says that this tree needs less CPU time. ROUNDS (5) and EACH (200ms) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

base=${1:-} run=${2:-}
if [ -z "$base" ]; then
	echo "usage: make bench-compare BASE=revision [RUN=regular-expression]" >&2
	exit 2
fi
work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/base" "$base"
(cd "$work/base" && go build -o "$work/before" ./bench)
go build -o "$work/after" ./bench

for round in $(seq "${ROUNDS:-5}"); do
	echo "round $round" >&2
	for side in before after; do
		# One run may know scenarios that the other does not: what both have is compared.
		"$work/$side" -run "${run:-1[23]_}" -rounds 1 -each "${EACH:-200ms}" | sed -n "s/^| /$side | /p" >>"$work/rows"
	done
done

awk -F ' *[|] *' '
	$4 !~ /µs$/ { next }
	{
		key = $2 " | " $3; time = $4 + 0; allocations = $(NF - 2)
		if (!(key in known)) { known[key] = 1; order[++count] = key }
		if (!(($1, key) in least) || time < least[$1, key]) least[$1, key] = time
		allocs[$1, key] = allocations
	}
	END {
		print "| scenario | stack | CPU time before | after | ratio | allocations before | after |"
		print "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
		for (i = 1; i <= count; i++) {
			key = order[i]
			if (!(("before", key) in least) || !(("after", key) in least)) continue
			before = least["before", key]; after = least["after", key]
			printf "| %s | %.1f µs | %.1f µs | %.2f | %s | %s |\n", key, before, after, before / after, allocs["before", key], allocs["after", key]
		}
	}' "$work/rows"
