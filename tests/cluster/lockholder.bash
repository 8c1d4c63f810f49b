#!/bin/bash
# lockholder.bash NAME SEED RUNDIR...: wants the lock again and again, by
# ringlock at whichever node, until SIGTERM.
# lockholder.bash work NAME: what runs while it is held.  Notes when it began
# and, ever again, that it still lives, in held.NAME.PID; and writes to the
# store under the lock, in the history.  As long as anything of it lives it has
# a lock of this machine, too: who does not get that was not alone, which is
# noted in the file two.
set -u

read_now() { read -r now _ </proc/uptime; }

work()
{
	local name=$1 begin code rev set number=0
	exec 7>>alone
	flock -n 7 || echo "$name $RINGKIT_LOCK_TOKEN" >>two
	# Later than it began, and earlier than it ends, by up to 10 ms.
	read_now
	begin=${now}9999999
	echo "$name $begin $RINGKIT_LOCK_NAME/$RINGKIT_LOCK_SLOT $RINGKIT_LOCK_TOKEN" \
		>"held.$name.$$"
	while [ $number -lt 15 ]; do
		number=$((number + 1)) code=0
		set="set key=t/locked value=$name.$$.$number"
		set="$set lock=$RINGKIT_LOCK_NAME/$RINGKIT_LOCK_SLOT"
		set="$set token=$RINGKIT_LOCK_TOKEN"
		read_now
		begin=$now
		echo "$now" >>"held.$name.$$"
		# Whoever is killed now cannot say what came of it.
		echo "$name $begin - $set" >>"asked.$name.$$"
		rev=$("$RINGKIT_BIN/cfgstore" set --rundir="$RINGKIT_RUNDIR" \
			--lock -o rev t/locked "$name.$$.$number" 2>/dev/null) ||
			code=$?
		read_now
		case $code in
		0) set="${now}9999999 $set -> ok rev=${rev%% *}" ;;
		1) set="${now}9999999 $set -> refused" ;;
		*) set="- $set" ;;
		esac
		echo "$name $begin $set" >>"history.h.$name.$$"
		sleep 0.05 # no event: it is held for a while
	done
}

if [ "$1" = work ]; then
	work "$2"
	exit
fi
name=$1 RANDOM=$2
shift 2
places=("$@")
over='' child=
trap 'over=yes; [ -z "$child" ] || kill -TERM "$child"' TERM
while [ -z "$over" ]; do
	RINGKIT_RUNDIR=${places[RANDOM % ${#places[@]}]}
	export RINGKIT_RUNDIR
	"$RINGKIT_BIN/ringlock" -w 10s --ttl 3s --grace 1s storm -- \
		bash "$0" work "$name" 2>>"err.$name" &
	child=$!
	echo "$child" >"ringlock.$name"
	wait "$child" || :
	[ -z "$over" ] || wait "$child" || :
	sleep 0.1 # no event: others want it, too
done
