# watch_fake.bash: a daemon for watch-membership that a test speaks for.
# shellcheck shell=bash disable=SC2034 # what the tests use

# A daemon of three nodes; descriptor 9 is what it tells.  $DAEMON is its
# process.
start_daemon() # [EPOCH]
{
	export RINGKIT_RUNDIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$RINGKIT_RUNDIR"
	cd "$BATS_TEST_TMPDIR" || return
	[ -e state ] || {
		node_is 1 alpha member 17 yes
		node_is 2 beta member 4
		node_is 3 gamma lost 9
		echo "ready view=1.2 members=1,2 coordinator=1 quorate=yes" \
			"votes=2 needed=2 expected=3 basis=majority"
	} >state
	[ -p control ] || mkfifo control
	"${RINGKIT_BUILD:?}/tests/cli/fakequorum" run/quorum.sock state \
		"${1-5f3c9a01}" <control >>requests 3>&- &
	DAEMON=$!
	exec 9>control
	await test -S run/quorum.sock
}

node_is() # NODE NAME STATE INC [LOCAL]
{
	echo "exists node=$1 name=$2 addr=10.0.0.$1 state=$3 inc=$4" \
		"local=${5-no} version=0.1.0 since_ms=81234 tags="
}

stop_daemon()
{
	exec 9>&-
	[ -z "${DAEMON-}" ] || {
		kill -CONT "$DAEMON" 2>/dev/null || :
		kill "$DAEMON" 2>/dev/null || :
		wait "$DAEMON" 2>/dev/null || :
	}
	DAEMON=
}

say() # RECORD...
{
	printf '%s\n' "$@" >&9
}

# The change in which beta leaves, or comes back.
beta_leaves()
{
	say "leave node=2 name=beta inc=4 reason=lost why=timeout" \
		"view view=1.3 prev=1.2 members=1 joined= left=2 reasons=2:lost reason=timeout ms=212 coordinator=1 quorate=no votes=1 needed=2 expected=3 basis=none"
}

beta_joins()
{
	say "join node=2 name=beta addr=10.0.0.2 inc=5 was=restarted" \
		"view view=1.4 prev=1.3 members=1,2 joined=2 left= reason=join ms=9 coordinator=1 quorate=yes votes=2 needed=2 expected=3 basis=majority"
}

# watch OUTPUT OPTION...: a watcher in the background that was told the state
# when this returns; $WATCHER is its process.
watch()
{
	local output=$1 ready=$BATS_TEST_TMPDIR/ready
	shift
	[ -p "$ready" ] || mkfifo "$ready"
	watch-membership --ready-fd=4 "$@" >"$output" 2>"$output.err" \
		3>&- 9>&- 4>"$ready" &
	WATCHER=$!
	timeout 60 cat "$ready" >/dev/null
}

# The watcher's exit code is this.
ended() # CODE
{
	local code=0
	wait "$WATCHER" || code=$?
	[ "$code" = "$1" ] || {
		echo "ended with $code"
		return 1
	}
}

# The file has so many lines that match.
has() # COUNT PATTERN FILE
{
	[ "$(grep -c -e "$2" "$3")" = "$1" ]
}
