# locktree.bash: work that is hard to end, and how to see whether any of it
# lives.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

# A tree of four, two of which left group and session, and all of which ignore
# TERM: who comes next sees by the lock on the file whether any of it lives.
tree='exec 7>>alone
	flock -n 7 || echo "$RINGKIT_LOCK_TOKEN is not alone" >>two
	trap "" TERM INT HUP QUIT
	setsid sh -c "trap \"\" TERM; setsid tail -f /dev/null & tail -f /dev/null" &
	(setsid tail -f /dev/null &)
	echo "$RINGKIT_LOCK_TOKEN" >>log
	echo >go
	while :; do tail -f /dev/null & wait $!; done'

# Nothing of the tree is left.
is_over() { flock -n alone true; }

# The next one gets it when nothing of the one before is left.
next_is_alone()
{
	ringlock_ -w 60s a -- sh -c '
		flock -n alone true || echo "not alone" >>two'
	[ ! -e two ]
}

start_tree() # OPTION...
{
	hold "$@" a -- sh -c "$tree"
	signal_await go
	GUARD=$(guard_of "$HOLDER")
	GUARD=${GUARD% }
}
