# Nodes with ringd and cfgstored, for bats files that test the store.
#
# On top of ringd_nodes: C[I] is the process of cfgstored of node I.
# shellcheck shell=bash disable=SC2034 # what the tests use

load ringd_nodes
load quorumd_nodes

store_begin()
{
	quorum_begin
	declare -gA C=()
	[ ${#AS_NOBODY[@]} = 0 ] || cp "${RINGKIT_BIN:?}/cfgstored" "$DIR"
}

cfgstored_starts() # I...
{
	local i
	for i; do
		daemon cfgstored "$i"
		C[$i]=$!
	done
}

# A busy machine is not to look like a dead node.
PATIENT=('[ring]' 'token = 3s' 'heartbeat = 200ms')

# store N [LINE...]: ringd and cfgstored on N nodes; the lines are of [store]
# and what follows it.  Returns when writes are taken.
store()
{
	local n=$1
	shift
	config "$n" "${PATIENT[@]}" '[store]' "$@"
	# shellcheck disable=SC2046 # numbers
	set -- $(seq "$n")
	start "$@"
	cfgstored_starts "$@"
	begins "$(seq -s , "$n")"
}

# c I REQUEST...: what cfgstored of node I answers to these, which may hold
# escapes of printf for data, without its greeting.
c()
{
	local i=$1
	shift
	printf '%b\n' "$@" quit | timeout 60 nc -U "run$i/cfg.sock" |
		sed '1d;$d'
}

# stored I PATTERN: until its status has that.
stored()
{
	local end=$((SECONDS + 60))
	until c "$1" status | grep -E "^ok .*$2"; do
		[ $SECONDS -lt $end ] || {
			echo "node $1: $(c "$1" status)"
			tail -n 20 "log.cfgstored$1"
			return 1
		}
		sleep 0.05 # no event: it is asked, not told
	done
}

# opens LIST: the nodes of 1,2,3 take writes, in one view of nobody else.
opens()
{
	local i
	for i in ${1//,/ }; do
		stored "$i" "state=open .*members=$1 " >/dev/null
	done
}

# begins LIST: the same of a new store, which needs all of its nodes until its
# first two records are on their disks.
begins()
{
	local i
	opens "$1"
	for i in ${1//,/ }; do
		stored "$i" ' acked=([2-9]|[1-9][0-9]+) ' >/dev/null
	done
}

# set_key I KEY VALUE [WORD...]
set_key()
{
	local i=$1 key=$2 value=$3
	shift 3
	c "$i" "set key=$key $* len=${#value}\n$value"
}

# The value of a key at a node, from what get answers.
value_at() # I KEY [WORD...]
{
	local i=$1 key=$2
	shift 2
	c "$i" "get key=$key $*" | sed -n 2p
}

# txn I: standard input is the transaction.
txn()
{
	local body
	body=$(cat && echo .)
	body=${body%.}
	{
		printf 'txn len=%d\n%s\nquit\n' "${#body}" "$body"
	} | timeout 60 nc -U "run$1/cfg.sock" | sed '1d;$d'
}

# reads I FILE WATCH-WORDS...: writes what a watch of node I tells to FILE,
# until the test ends.
reads()
{
	local i=$1 file=$2 fd
	shift 2
	rm -f "$file.in"
	mkfifo "$file.in"
	exec {fd}<>"$file.in"
	printf 'watch %s\n' "$*" >&"$fd"
	background nc -U "run$i/cfg.sock" <&"$fd" >"$file"
	exec {fd}>&-
}

# slay_store I: kill -9 of cfgstored, and wait until it is gone.
slay_store()
{
	kill -KILL "${C[$1]}"
	wait "${C[$1]}" || :
}

# files_are_left I: the writer of a cfgstored that was killed is gone, too.
files_are_left() { timeout 60 flock "state$1/cfg/lock" true; }

# all_gone: kill -9 of all that runs, at once.
all_gone()
{
	kill -KILL "${PID[@]}" "${C[@]}"
	wait "${PID[@]}" "${C[@]}" || :
	rm -f run*/*.sock run*/*.lock
}
