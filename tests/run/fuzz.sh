#!/bin/sh
# fuzz.sh BUILD SECONDS FUZZER...: run each libFuzzer program that long, from
# the committed corpus on; what it finds of interest goes to BUILD/corpus.
set -u
build=$1 seconds=$2
shift 2
passed=0 failed=0
for fuzzer; do
	name=${fuzzer##*/fuzz_}
	mkdir -p "$build/corpus/$name" "$build/found"
	seeds=tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	echo "  $name, $seconds s"
	if "$fuzzer" -max_total_time="$seconds" -timeout=10 -verbosity=0 \
		-artifact_prefix="$build/found/$name-" \
		"$build/corpus/$name" ${seeds:+"$seeds"} \
		>"$build/found/$name.log" 2>&1; then
		passed=$((passed + 1))
	else
		tail -n 40 "$build/found/$name.log"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
