#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# postgresql-read-only.sh on: this node lost the quorum, or does not know: its
# PostgreSQL is to be read, and not written.  As a hook, a file
# /etc/ringkit/hooks.d/quorum-lost.d/50-postgresql:
#
#	#!/bin/sh
#	exec runuser -u postgres -- /usr/local/sbin/postgresql-read-only.sh on
#
# What the server is told outlives its restart.  Then everybody who was connected
# before it knew is thrown out, for he may be in the midst of writing.  It ends
# with 0 when the server has said that both is done, and may be ended at any
# place and run once more.  It is a switch against accidents: a client that asks
# for it (SET TRANSACTION READ WRITE), and a role or database that was altered to
# the contrary, still write.  Where that must not be, stop the server: it is what
# POSTGRESQL_STOP, a command, is run for when the server cannot be told.  Without
# that, it ends with 75, to be run again.
#
# postgresql-read-only.sh off: the contrary.  Nothing of ringkit's does that by
# itself: that quorum is back does not mean that nobody else was written to in
# between.  Who types it knows.  Without a quorum it is refused.
#
# psql's own variables, PGHOST, PGPORT, PGUSER, say which server.
set -u
export PGDATABASE="${PGDATABASE-postgres}" PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT-5}"
export PGAPPNAME=ringkit

sql() # STATEMENT
{
	psql -XqAtw -v ON_ERROR_STOP=1 -c "$1" </dev/null
}

# A new connection has what the server knows, and when it took it up.
now="SELECT current_setting('default_transaction_read_only')"
cut="SELECT current_setting('default_transaction_read_only'),
	count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
	AND backend_start <= pg_conf_load_time()
	AND current_setting('default_transaction_read_only') = 'on'"

until_it_says() # ANSWER STATEMENT: a server takes it up a moment later
{
	tries=100
	while answer=$(sql "$2"); do
		[ "$answer" != "$1" ] || return 0
		tries=$((tries - 1))
		[ $tries -gt 0 ] || break
		sleep 0.1 # no event: it tells nobody that it has reloaded
	done
	return 1
}

change() # STATEMENT
{
	sql "$1" && sql 'SELECT pg_reload_conf()' >/dev/null
}

case ${1-} in
on)
	trap '' TERM INT HUP
	change 'ALTER SYSTEM SET default_transaction_read_only = on' &&
		until_it_says 'on|0' "$cut" && exit 0
	[ -n "${POSTGRESQL_STOP-}" ] || exit 75
	$POSTGRESQL_STOP || exit 70
	;;
off)
	check-quorum -q || exit 75
	change 'ALTER SYSTEM RESET default_transaction_read_only' &&
		until_it_says off "$now" || exit 75
	;;
*)
	echo "usage: ${0##*/} on | off" >&2
	exit 64
	;;
esac
