#!/usr/bin/env bash
# Fuzzes every target it finds, two workers each.
#
#   scripts/fuzz.sh -each 10s     ten seconds a target
#   scripts/fuzz.sh -total 40     forty seconds together, at least a quarter of one for each target
#
# Each package is built once and then run target by target. Our own packages alone are instrumented: the fuzzer is to find
# ways through them, not through the libraries beneath, whose compiled form is at hand from the tests. What breaks a target
# is written to the package's testdata/fuzz, where go test finds it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:--total}
amount=${2:-40}
builds=$(mktemp -d)
trap 'rm -rf "$builds"' EXIT
corpus=$(go env GOCACHE)/fuzz
module=$(go list -m)

# go list is asked only for packages that have a target in a test file.
mapfile -t folders < <(grep -rlE '^func Fuzz[A-Z_]' --include='*_test.go' . | grep -v '/testdata/' | xargs -r -n1 dirname | sort -u)
targets=()
failed=0
# Linking takes one processor each: as many builds run beside each other as there are. Nobody debugs these programs.
printf '%s\n' "${folders[@]}" | xargs -P "$(nproc)" -I{} bash -c 'go test -c -ldflags="-s -w" -gcflags="$3/...=-d=libfuzzer" -o "$1/$(tr / _ <<<"$2").test" "$2" || touch "$1/failed"' build "$builds" {} "$module"
[ ! -e "$builds/failed" ] || failed=1
for folder in "${folders[@]}"; do
	binary=$builds/$(tr / _ <<<"$folder").test
	[ -e "$binary" ] || continue
	while read -r target; do
		targets+=("$folder $target $binary")
	done < <(cd "$folder" && "$binary" -test.list '^Fuzz')
done
if [ ${#targets[@]} = 0 ]; then
	echo "fuzz: no target found" >&2
	exit 1
fi

each=$amount
if [ "$mode" = -total ]; then
	each=$((amount * 1000 / ${#targets[@]}))
	[ "$each" -ge 250 ] || each=250
	each=${each}ms
fi
echo "fuzz: ${#targets[@]} targets in ${#folders[@]} packages, $each each"
for entry in "${targets[@]}"; do
	read -r folder target binary <<<"$entry"
	import=$module/${folder#./}
	status=0
	# A handshake draws random bytes, so its coverage wobbles: shortening an input by it, a minute by default, would never
	# end and take up all the time.
	log=$(cd "$folder" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$each" -test.fuzzminimizetime 10x \
		-test.parallel 2 -test.fuzzcachedir "$corpus/$import" </dev/null 2>&1) || status=$?
	# When the time ends while a worker starts, Go's fuzzer reports its own deadline as the failure. It is one only
	# if there is an input to show for it.
	if [ "$status" != 0 ] && grep -q '^ *context deadline exceeded$' <<<"$log" && ! grep -qE 'Failing input|panic' <<<"$log"; then
		status=0
	fi
	if [ "$status" = 0 ]; then
		echo "fuzz: ok   $folder $target ($(grep -oE 'execs: [0-9]+' <<<"$log" | tail -1))"
	else
		echo "$log"
		echo "fuzz: FAIL $folder $target"
		failed=1
	fi
done
exit "$failed"
