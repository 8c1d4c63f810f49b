#!/bin/sh
# one.sh LOG COMMAND...: run one test program, keep its output in LOG and
# see that LOG ends in "N passed, N failed".  TAP is counted; a program that
# dies, or says nothing of the kind, is one failure.  Always succeeds: sum.sh
# judges.
set -u
log=$1
shift
limit=${TEST_LIMIT_S:-600}
name=${log#*/log/}
name=${name%.log}

mkdir -p "${log%/*}"
timeout -k 5 "$limit" "$@" >"$log.run" 2>&1 </dev/null
code=$?

count()
{
	awk -v code="$code" -v limit="$limit" '
	/^1\.\.[0-9]+/ { is_tap = 1; planned = substr($1, 4) + 0 }
	/^ok / { if ($0 ~ /# skip/) skipped++; else good++ }
	/^not ok / { bad++ }
	/^[0-9]+ passed, [0-9]+ failed$/ { passed = $1; failed = $3; said = 1 }
	END {
		if (is_tap) {
			passed = good + 0
			failed = bad + 0
			lost = planned - good - bad - skipped
			if (lost > 0) { print lost " did not run"; failed += lost }
		}
		if (code == 124 || code == 137)
			print "stopped after " limit " s"
		if (code != 0 && failed == 0) {
			print "ended with code " code
			failed++
		} else if (!is_tap && !said) {
			print "did not say how many passed"
			failed++
		}
		print passed + 0 " passed, " failed + 0 " failed"
	}' "$log.run"
}
count >"$log.count"
cat "$log.run" "$log.count" >"$log.new"
rm -f "$log.run" "$log.count"
mv "$log.new" "$log"

last=$(tail -n 1 "$log")
case $last in
*' 0 failed')
	echo "  ok $name: ${last%,*}"
	grep -E '^ok .*# skip' "$log" | sed 's/^ok [0-9]* /     skipped: /'
	;;
*)
	sed 's/^/     /' "$log"
	echo "  FAILED $name: $last"
	;;
esac
exit 0
