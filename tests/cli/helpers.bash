# helpers.bash: nodes on loopback for the command line tests.
# shellcheck shell=bash disable=SC2034,SC2016 # what the tests use

# shellcheck source=tests/cli/family.bash
. "${BASH_SOURCE[0]%/*}/family.bash"

bats_require_minimum_version 1.5.0
PATH=${RINGKIT_BIN:?}:$PATH
export LC_ALL=C RINGKIT_TIMEOUT=30s

# A port of its own for every file of tests, below those that are given out.
test_port() { echo $((20000 + 16 * ${RINGKIT_TEST_SLOT:-0})); }

# start_nodes N [OPTION...]: a sandbox for this file, gone when its process is;
# for setup_file.  $NODES/I is the rundir of node I.
start_nodes()
{
	export NODES=$BATS_FILE_TMPDIR/nodes
	export RINGKIT_RUNDIR=$NODES/1
	local ready=$BATS_FILE_TMPDIR/ready forever=$BATS_FILE_TMPDIR/forever
	mkfifo "$ready" "$forever"
	ringkit sandbox --port="$(test_port)" "${@:2}" "$1" "$NODES" -- \
		sh -c 'echo up >"$0" && exec cat "$1"' "$ready" "$forever" \
		</dev/null >"$BATS_FILE_TMPDIR/sandbox.log" 2>&1 3>&- &
	SANDBOX=$!
	export SANDBOX
	timeout 60 cat "$ready" >/dev/null || {
		cat "$BATS_FILE_TMPDIR/sandbox.log"
		return 1
	}
}

# With this in the configuration a busy machine does not look like dead nodes,
# nor, within the LEASE, like a quorum that nobody knows.
patient_conf() # LEASE
{
	printf '%s\n' '[ring]' 'token = 3s' 'heartbeat = 200ms' \
		'[quorum]' "lease = $1" "settle = $1"
}

patient_nodes() # N [OPTION...]
{
	local conf=$BATS_FILE_TMPDIR/patient.conf
	patient_conf "${LEASE:-60s}" >"$conf"
	start_nodes "$1" --config="$conf" "${@:2}"
}

stop_nodes()
{
	[ -n "${SANDBOX-}" ] || return 0
	kill "$SANDBOX" 2>/dev/null || :
	wait "$SANDBOX" 2>/dev/null || :
}

node_pid() # NODE
{
	cut -d' ' -f1 "$NODES/$1/ringd.pid"
}

is_whole() # NODE
{
	ringkit status --rundir="$NODES/$1" | head -n 1 |
		grep -qE '^operational  ([0-9]+)/\1 members'
}

# await_ring: until every node has all of them in its view.
await_ring()
{
	local dir
	for dir in "$NODES"/[0-9]*; do
		await is_whole "${dir##*/}"
	done
}

# listen OUTPUT OPTION...: a msgcat in the background that listens when this
# returns; $LISTENER is its process.
listen()
{
	local output=$1 ready=$BATS_TEST_TMPDIR/ready
	shift
	[ -p "$ready" ] || mkfifo "$ready"
	msgcat --ready-fd=4 "$@" >"$output" 2>"$output.err" 3>&- 4>"$ready" &
	LISTENER=$!
	timeout 60 cat "$ready" >/dev/null
}

# heard: waits for $LISTENER; its exit code.
heard() { wait "$LISTENER"; }

# exits CODE PID: a process in the background ends so.  (run has a shell of its
# own, which cannot wait for it.)
exits()
{
	local code=0
	wait "$2" || code=$?
	[ "$code" = "$1" ] || {
		echo "ended with $code, expected $1"
		return 1
	}
}

# takes_10_ms COMMAND...: or less, once; where the machine is too busy for that,
# by the processor's time.
takes_10_ms()
{
	local start used TIMEFORMAT='%U %S'
	for _ in {1..100}; do
		start=${EPOCHREALTIME/./}
		"$@"
		[ $((${EPOCHREALTIME/./} - start)) -ge 10000 ] || return 0
	done
	used=$({ time for _ in {1..20}; do "$@" >/dev/null 2>&1; done; } 2>&1)
	echo "20 times took $used s of the processor"
	awk '{ exit $1 + $2 >= 20 * 0.010 }' <<<"$used"
}

# await COMMAND...: until it holds, at most 60 s; for what no event tells.
await()
{
	local end=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02 # no event: that is what await is for
	done
}

# A daemon of one connection, which says what its input says.
fake_daemon() # SOCKET
{
	local path=$1
	[[ $path == /* ]] || path=$PWD/$path
	rm -f "$path"
	nc -lU "$path" <&0 >/dev/null 2>&1 3>&- &
	FAKE=$!
	await has_listened "$path"
}

# That the socket is there is not enough: it is there before it listens.  Who
# has waited for it may be connected, or gone again.
has_listened() # SOCKET
{
	awk -v path="$1" '
		$NF == path && ($4 == "00010000" || $6 == "03") { found = 1 }
		END { exit !found }' /proc/net/unix ||
		! kill -0 "$FAKE" 2>/dev/null
}
