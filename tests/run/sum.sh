#!/bin/sh
# sum.sh LOG...: add up the last lines "N passed, N failed" of the logs.  A
# log that is missing is one failure.  The exit code is 1 if anything failed.
set -u
passed=0 failed=0
for log; do
	line=$(tail -n 1 "$log" 2>/dev/null) || line=
	case $line in
	[0-9]*' passed, '[0-9]*' failed')
		p=${line%% *}
		f=${line#*, }
		f=${f%% *}
		;;
	*)
		name=${log#*/log/}
		echo "  FAILED ${name%.log}: did not run"
		p=0 f=1
		;;
	esac
	passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
