# Nodes with all three daemons, for bats files that test quorumd.
#
# On top of ringd_nodes: M[I] and Q[I] are the processes of memberd and quorumd
# of node I.
# shellcheck shell=bash disable=SC2034 # what the tests use

load ringd_nodes

quorum_begin()
{
	nodes_begin
	declare -gA M=() Q=()
	BIN=${RINGKIT_BIN:?}
	[ ${#AS_NOBODY[@]} = 0 ] || {
		cp "$BIN/memberd" "$BIN/quorumd" "$DIR"
		BIN=$DIR
	}
}

# daemon NAME I: starts memberd or quorumd of node I; it answers when this
# returns; $! is its process.
daemon()
{
	local ready
	[ -p "ready$1$2" ] || mkfifo "ready$1$2"
	exec {ready}<>"ready$1$2"
	"${AS_NOBODY[@]}" "$BIN/$1" -c ringkit.conf --node "n$2" \
		--rundir "run$2" --statedir "state$2" --ready-fd 8 \
		8>&"$ready" 2>>"log.$1$2" </dev/null 3>&- &
	PIDS+=($!)
	read -r -t 60 -u "$ready" || {
		echo "$1 of node $2 did not start"
		return 1
	}
	exec {ready}>&-
}

memberd_starts() # I...
{
	local i
	for i; do
		daemon memberd "$i"
		M[$i]=$!
	done
}

quorumd_starts() # I...
{
	local i
	for i; do
		daemon quorumd "$i"
		Q[$i]=$!
	done
}

# cluster N [LINE...]: all daemons of N nodes; the lines are of [quorum].  A
# busy machine is not to look like a dead node, nor, where the lease is not what
# is tested, like a quorum that nobody knows.
cluster()
{
	local n=$1 lease=('lease = 10s' 'settle = 10s')
	shift
	[[ "$*" != *lease* ]] || lease=()
	config "$n" '[ring]' 'token = 3s' 'heartbeat = 200ms' \
		'[quorum]' "${lease[@]}" "$@"
	# shellcheck disable=SC2046 # numbers
	set -- $(seq "$n")
	start "$@"
	memberd_starts "$@"
	quorumd_starts "$@"
}

# gone NAME PID: kill -9, and wait until it is gone.
gone()
{
	kill -KILL "$1"
	wait "$1" || :
}

# q I REQUEST...: what quorumd of node I answers, without its greeting.
q()
{
	local i=$1
	shift
	printf '%s\n' "$@" quit | timeout 60 nc -U "run$i/quorum.sock" |
		sed '1d;$d'
}

# becomes I PATTERN: until quorumd of node I answers that to `quorum`.
becomes()
{
	local end=$((SECONDS + 60))
	until q "$1" quorum | grep -E "^ok .*$2"; do
		[ $SECONDS -lt $end ] || {
			echo "node $1: $(q "$1" quorum)"
			return 1
		}
		sleep 0.05 # no event: it is asked, not told
	done
}

# all_become LIST PATTERN
all_become()
{
	local i
	for i in ${1//,/ }; do
		becomes "$i" "$2" >/dev/null
	done
}

# watching I FILE [REQUEST]: writes what quorumd of node I tells to FILE, until
# the test ends; returns when its state has been told.
watching()
{
	local i=$1 file=$2 fd
	rm -f "$file.in"
	mkfifo "$file.in"
	exec {fd}<>"$file.in"
	printf '%s\n' "${3:-watch}" >&"$fd"
	background nc -U "run$i/quorum.sock" <&"$fd" >"$file"
	exec {fd}>&-
	appears "$file" '^ev 1 ready' >/dev/null
}

# dropped I J: node I and node J hear nothing of each other.
dropped()
{
	ask "$1" "drop peer=n$2 for=5m" | grep -q ok
	ask "$2" "drop peer=n$1 for=5m" | grep -q ok
}

healed() # I J
{
	ask "$1" "drop peer=n$2 for=0" | grep -q ok
	ask "$2" "drop peer=n$1 for=0" | grep -q ok
}

# A value of the answer to `quorum`.
value() # I KEY
{
	q "$1" quorum | word "$2"
}
