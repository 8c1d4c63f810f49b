# lockfake.bash: a store for locks of the test's own, that does as it is told.
# shellcheck shell=bash disable=SC2034,SC2154

# lock_start [NODES]: $PWD/store/I is the rundir of node I; the first is ours.
lock_start()
{
	mkdir -p store
	mkfifo lock-orders lock-confirmed
	"$RINGKIT_BUILD/tests/cli/lockfake" "$PWD/store" "${1:-1}" \
		<lock-orders >lock-confirmed 2>lock-errors 3>&- &
	FAKE=$!
	exec 8>lock-orders 9<lock-confirmed
	read -r -t 60 <&9
	export RINGKIT_RUNDIR=$PWD/store/1
	HOLDERS=()
}

lock_stop()
{
	local pid
	for pid in "${HOLDERS[@]}"; do
		kill -CONT "$pid" 2>/dev/null && kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null || :
	done
	exec 8>&- 9>&-
	[ -z "${FAKE-}" ] || wait "$FAKE" 2>/dev/null || :
	cat lock-errors
}

# order WORD...: carried out when this returns; $ordered is the answer.
order()
{
	printf '%s\n' "$*" >&8
	read -r -t 60 ordered <&9
}

# ringlock without what the test holds open.
ringlock_() { command ringlock "$@" 3>&- 8>&- 9>&-; }

# hold OPTION...: in the background; $HOLDER.
hold()
{
	# A shell's background ignores INT and QUIT.
	env --default-signal=INT,QUIT ringlock "$@" 3>&- 8>&- 9>&- &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
}

# ended CODE [PID]: waits for $HOLDER, which ends so.
ended()
{
	local code=0
	timeout 60 tail -s 0.02 --pid="${2:-$HOLDER}" -f /dev/null || {
		echo "did not end"
		return 1
	}
	wait "${2:-$HOLDER}" || code=$?
	[ "$code" = "$1" ] || {
		echo "ended with $code, expected $1"
		return 1
	}
}

# A FIFO that is open for writing as long as any process of the work lives.
life_begin()
{
	rm -f life
	mkfifo life
	timeout 60 cat life >/dev/null 3>&- 8>&- 9>&- &
	LIFE=$!
}
life_over() { wait "$LIFE"; }

# Whoever opens the other end of it goes on.
signal_begin() { rm -f "$1" && mkfifo "$1"; }
signal_await() { timeout 60 cat "$1" >/dev/null; }

is_held() { [ "$(command ringlock --list | grep -c ^held 8>&- 9>&-)" = "${1:-1}" ]; }
waits() { [ "$(command ringlock --list | grep -c ^waits 8>&- 9>&-)" = "$1" ]; }

# The guard of a holder: its only child.
guard_of() { cat "/proc/$1/task/$1/children"; }
