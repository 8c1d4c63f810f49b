#!/bin/bash
# shellclient.bash NAME SEED KEYS RUNDIR...: uses the store at random, by
# cfgstore at whichever node, and writes down what lincheck reads, until
# SIGTERM.  Everything a script can do with the store is done here as a script
# would do it; times are those of /proc/uptime, which is exact to 10 ms, so
# ends are said to be 10 ms later.
# shellcheck disable=SC2209 # words
set -u
name=$1 RANDOM=$2 keys=$3
shift 3
places=("$@")
number=0 over=
trap 'over=yes' TERM
export RINGKIT_TIMEOUT=8s

now()
{
	read -r now _ </proc/uptime
}

# How it ended is told by the exit code, what was answered by a few words.
use() # HISTORY COMMAND...
{
	local begin code=0 told end
	asked=$1
	shift
	now
	begin=$now
	told=$("$RINGKIT_BIN/cfgstore" "$1" --rundir="$place" "${@:2}" \
		2>"err.$name") ||
		code=$?
	now
	end=${now}9999999
	case $code in
	0 | 1) answer "$code" "$told" ;;
	69 | 75 | 124)
		# Not done, or not known; a shell cannot always tell.
		end=- answer=
		;;
	*)
		echo "$name: $*: $code: $(<"err.$name")" >&2
		exit 1
		;;
	esac
	echo "$name $begin $end $asked${answer:+ -> $answer}"
	sleep "0.0$((RANDOM % 8 + 1))" # no event: others have their turn, too
}

answer() # CODE WORDS
{
	local a b c
	read -r a b c <<<"$2"
	case $verb,$1 in
	get,0) answer="ok rev=$a value=$c store_rev=$b" seen[key]=$a ;;
	get,1) answer="absent" seen[key]=0 ;;
	set,0 | txn,0) answer="ok rev=$a" seen[key]=$a ;;
	set,1) answer="conflict rev=$a" seen[key]=$a ;;
	txn,1) answer="conflict" seen[key]=0 ;;
	del,0) answer="ok rev=$a n=$b" seen[key]=0 ;;
	del,1) answer="absent" seen[key]=0 ;;
	esac
}

put_txn() # KEY OTHER VALUE
{
	if [ "${seen[key]:-0}" = 0 ]; then
		asked="if=$1 absent=yes" line="if key=$1 absent=yes"
	else
		asked="if=$1 rev=${seen[key]}"
		line="if key=$1 rev=${seen[key]}"
	fi
	printf '%s\n' "$line" "put key=$1 value=$3" "del key=$2" >"txn.$name"
	use "txn $asked put=$1 value=$3 del=$2" txn -o rev "txn.$name"
}

declare -a seen=()
while [ -z "$over" ]; do
	place=${places[RANDOM % ${#places[@]}]}
	key=$((RANDOM % keys)) number=$((number + 1))
	k=t/k$key value=$name.$number
	case $((RANDOM % 10)) in
	[0-2])
		verb=get
		use "get key=$k sync=yes" get --sync -o rev,store_rev,value "$k"
		;;
	[3-4])
		verb=set
		use "set key=$k value=$value" set -o rev "$k" "$value"
		;;
	[5-6])
		verb=set
		use "set key=$k value=$value if_rev=${seen[key]:-0}" \
			set -o rev --if-rev="${seen[key]:-0}" "$k" "$value"
		;;
	[7-8])
		verb=txn
		put_txn "$k" "t/k$(((key + 1) % keys))" "$value"
		;;
	9)
		verb=del
		use "del key=$k" del -o rev,n "$k"
		;;
	esac
done
