#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# postgresql-primary.sh DATADIR [OPTION...]: the one PostgreSQL that may write to
# DATADIR, which all nodes can mount, or which replicates: a standby is promoted.
# Only below ringlock, on every node:
#
#	ringlock --ttl 30s --grace 20s pg/main -- postgresql-primary.sh /srv/pg
#
# The server is a child of this script, not a service: so it is dead before
# another node starts its own, whatever happens to this one.
set -u
data=${1:?data directory}
shift
if [ -z "${RINGKIT_LOCK_TOKEN-}" ]; then
	echo "${0##*/}: only below ringlock" >&2
	exit 64
fi

# The server refuses to run as root.
as_owner()
{
	[ "$(id -u)" = 0 ] || { "$@"; return; }
	setpriv --reuid="$(stat -c %u "$data")" \
		--regid="$(stat -c %g "$data")" --clear-groups "$@"
}

server='' ending=''
# INT is a fast shutdown: sessions end, what is committed is there.
trap '[ -z "$server" ] || kill -INT "$server" 2>/dev/null; ending=yes' \
	TERM INT HUP QUIT
# What a killed server left: nobody else can be writing, we hold the lock.
rm -f "$data/postmaster.pid"
if [ "$(id -u)" = 0 ]; then
	setpriv --reuid="$(stat -c %u "$data")" \
		--regid="$(stat -c %g "$data")" --clear-groups \
		postgres -D "$data" "$@" &
else
	postgres -D "$data" "$@" &
fi
server=$!
[ -z "$ending" ] || kill -INT "$server"
[ ! -e "$data/standby.signal" ] || as_owner pg_ctl -D "$data" -w promote
while :; do
	wait "$server"
	code=$?
	# A signal of ours ends the wait, not the server.
	kill -0 "$server" 2>/dev/null || break
done
exit "$code"
