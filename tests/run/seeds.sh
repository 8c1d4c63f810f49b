#!/bin/sh
# seeds.sh REPLAY COUNT FIRST JOBS: COUNT simulated runs, shared out among
# JOBS processes of `REPLAY --seeds N --first S`, each of which ends with
# "N passed, N failed" and prints, for a seed that fails, how to replay it.
set -u
replay=$1 count=$2 first=$3 jobs=$4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
share=$(((count + jobs - 1) / jobs))
at=0 logs='' pids=''
while [ "$at" -lt "$count" ]; do
	n=$((count - at < share ? count - at : share))
	"$replay" --seeds "$n" --first $((first + at)) >"$work/$at" 2>&1 &
	pids="$pids $!"
	logs="$logs $work/$at"
	at=$((at + n))
done
code=0
for pid in $pids; do wait "$pid" || code=1; done
for log in $logs; do
	tail -n 1 "$log" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' ||
		{ echo "a run ended early:" && tail -n 5 "$log"; }
	grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$log"
done
# shellcheck disable=SC2086 # a list of logs
sh "${0%/*}/sum.sh" $logs && [ "$code" = 0 ]
