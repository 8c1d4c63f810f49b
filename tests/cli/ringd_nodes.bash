# Nodes on loopback addresses, for bats files that run real ringds.
#
# Each test has a folder, DIR, that an unprivileged user may enter, and
# addresses of its own.  It calls nodes_begin in setup and nodes_end in
# teardown, which ends every process that was started here and fails the test
# when a ringd died of a bug.
# shellcheck shell=bash

# shellcheck source=tests/cli/family.bash
. "${BASH_SOURCE[0]%/*}/family.bash"

slot=${RINGKIT_TEST_SLOT:-$((150 + $$ % 100))}
NOBODY=65534

nodes_begin()
{
	DIR=$(mktemp -d "${TMPDIR:-/tmp}/ringd.XXXXXX")
	PIDS=()            # of whatever runs in the background
	declare -gA PID=() # of ringd, by node
	AS_NOBODY=()
	RINGD=${RINGKIT_BIN:?}/ringd
	chmod 755 "$DIR"
	if [ "$(id -u)" = 0 ]; then
		# As nobody, who may not be able to enter the build folder.
		AS_NOBODY=(setpriv "--reuid=$NOBODY" "--regid=$NOBODY"
			--clear-groups --)
		cp "$RINGD" "$DIR/ringd"
		RINGD=$DIR/ringd
	fi
	cd "$DIR" || return
}

nodes_end()
{
	local pid log rc=0
	for pid in $(jobs -p) "${PIDS[@]}"; do
		kill -CONT "$pid" 2>/dev/null || :
		kill -KILL "$pid" 2>/dev/null || : # and its child, if it is ringd
	done
	wait 2>/dev/null || :
	for log in "$DIR"/log*; do
		[ -e "$log" ] || continue
		if grep -nE 'ENSURE|Sanitizer|runtime error|allocat' "$log"; then
			rc=1
		fi
		[ "${BATS_TEST_COMPLETED:-}" = 1 ] || tail -n 12 "$log" |
			sed "s|^|${log##*/}: |"
	done
	cd / || return
	if [ "${KEEP:-}" ]; then
		echo "kept: $DIR"
	else
		# What was killed may just be making a file in it.
		rm -rf "$DIR" 2>/dev/null || rm -rf "$DIR"
	fi
	return "$rc"
}

address() # I
{
	echo "127.$slot.${BATS_TEST_NUMBER:-1}.$1"
}

# another_key: makes the file named key anew.
another_key()
{
	rm -f key
	printf '1 %s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >key
	chmod 400 key
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" key
}

# config N [LINE...]: key and ringkit.conf for the nodes n1 to nN; the lines
# come before the nodes' sections.
config()
{
	local n=$1 i
	shift
	another_key
	{
		printf '[cluster]\nname = test\nkey_file = key\n'
		[ $# = 0 ] || printf '%s\n' "$@"
		for ((i = 1; i <= n; i++)); do
			printf '[node n%s]\nid = %s\nlink0 = %s\n' \
				"$i" "$i" "$(address "$i")"
		done
	} >ringkit.conf
}

# folders I: what node I may write.
folders()
{
	mkdir -p "run$1" "state$1"
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" "run$1" "state$1"
}

# launch I [OPTION...]: starts node I, as $PID[I], and does not wait.
launch()
{
	local i=$1
	shift
	[ -e "state$i" ] || folders "$i"
	"${AS_NOBODY[@]}" "$RINGD" -c "${conf:-ringkit.conf}" --node "n$i" \
		--rundir "run$i" --statedir "state$i" "$@" \
		2>>"log$i" </dev/null 3>&- &
	PID[$i]=$!
}

# start I...: starts nodes and waits until their sockets answer.
start()
{
	local i ready
	local -A fds=()
	for i; do
		[ -p "ready$i" ] || mkfifo "ready$i"
		exec {ready}<>"ready$i"
		fds[$i]=$ready
		launch "$i" --ready-fd 8 8>&"$ready"
	done
	for i; do
		ready=${fds[$i]}
		read -r -t 60 -u "$ready" || {
			echo "node $i did not start"
			return 1
		}
		exec {ready}>&-
	done
}

# ends I [CODE]: node I ends by itself, with CODE (0).
ends()
{
	local code=0
	wait "${PID[$1]}" || code=$?
	unset "PID[$1]"
	[ "$code" = "${2:-0}" ] || {
		echo "node $1 ended with $code"
		return 1
	}
}

# slay I: kill -9 of the supervisor and with it of its child, for good; and wait
# until it is gone.
slay()
{
	kill -KILL "${PID[$1]}"
	ends "$1" 137
}

# unnoticed I: nothing tells nodes 1 and 2 that a port of node I is closed for a
# moment.
unnoticed()
{
	local i
	for i in 1 2; do
		ask "$i" "drop peer=$1 dir=in for=200ms" >/dev/null
	done
}

# crash I: kill -9 of the ring alone, which its supervisor starts again.  False
# between two lives.
crash()
{
	local ring
	ring=$(ring_of "${PID[$1]}")
	[ "$ring" != "${PID[$1]}" ] && kill -KILL "$ring"
}

# leave I: SIGTERM, and wait for a clean end.
leave()
{
	kill -TERM "${PID[$1]}"
	ends "$1" 0
}

# background COMMAND...: runs it until the test ends; $! is its pid.
background()
{
	"$@" <&0 3>&- &
	PIDS+=($!)
}

# ask I REQUEST...: what node I answers, without its greeting.
ask()
{
	local i=$1
	shift
	printf '%s\n' "$@" quit | timeout 60 nc -U "run$i/ring.sock" |
		sed '1d;$d'
}

# word KEY: of each line that has it, the value.
word()
{
	sed -n "s/.* $1=\([^ ]*\).*/\1/p"
}

# stat I NAME [WORDS]: the sum of the counters called NAME with these words.
stat_of()
{
	ask "$1" stats | grep -F "name=$2 " | grep -F -- "${3:-}" |
		word value | awk '{ sum += $1 } END { print sum + 0 }'
}

# first_match PATTERN SECONDS COMMAND...: runs it (input: the file named input)
# until it says a line that matches, which is printed.
first_match()
{
	local pattern=$1 limit=$2 pid found=0
	shift 2
	rm -f output
	mkfifo output
	"$@" <input >output 2>/dev/null 3>&- &
	pid=$!
	timeout "$limit" grep -a -m 1 -E -- "$pattern" <output || found=$?
	kill "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
	[ "$found" = 0 ] || echo "not in $limit s: $pattern"
	return "$found"
}

# await I PATTERN [SECONDS [REQUEST...]]: prints the first line that matches of
# what node I says after REQUEST (views).
await()
{
	local i=$1 pattern=$2 limit=${3:-60}
	shift $(($# > 3 ? 3 : $#))
	[ $# -gt 0 ] || set -- views
	printf '%s\n' "$@" >input
	first_match "$pattern" "$limit" nc -U "run$i/ring.sock" || {
		echo "node $i"
		return 1
	}
}

# appears FILE PATTERN [SECONDS]: a line of a growing file.
appears()
{
	: >input
	first_match "$2" "${3:-60}" tail -n +1 -F "$1" || {
		echo "in $1"
		return 1
	}
}

# together LIST [SECONDS]: every node of the list 1,2,3 is in a view of them.
together()
{
	local i
	for i in ${1//,/ }; do
		await "$i" "(ready|phase=regular).* members=$1 " "${2:-60}" \
			>/dev/null || {
			echo "node $i: not in a view of $1"
			return 1
		}
	done
}

# subscribed I FILE REQUEST...: writes what node I says to FILE, until the
# test ends; returns when the last request was answered.
subscribed()
{
	local i=$1 file=$2 fd
	shift 2
	mkfifo "$file.in"
	exec {fd}<>"$file.in"
	printf '%s\n' "$@" '#subscribed ping' >&"$fd"
	background nc -U "run$i/ring.sock" <&"$fd" >"$file"
	exec {fd}>&-
	appears "$file" '^#subscribed ok' >/dev/null
}
