# A ringd is two processes: the supervisor, whose pid is known to whoever
# started it, and its child, which is the ring.  Killing the first kills both.
# shellcheck shell=bash

# ring_of PID: the process that is the ring of this ringd.
ring_of()
{
	local child children
	read -ra children <"/proc/$1/task/$1/children" || :
	for child in "${children[@]}"; do
		grep -qsx ringd-ring "/proc/$child/comm" || continue
		echo "$child"
		return
	done
	echo "$1" # it has no supervisor, or is another daemon
}

# freeze PID...: stops daemons whole, so that nobody takes it for a hang.
freeze()
{
	local pid
	for pid; do
		kill -STOP "$pid" "$(ring_of "$pid")"
	done
}

# thaw PID...: and lets them go on.
thaw()
{
	local pid
	for pid; do
		kill -CONT "$(ring_of "$pid")" "$pid"
	done
}
