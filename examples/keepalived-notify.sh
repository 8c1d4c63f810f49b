#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# keepalived-notify.sh NAME NOTIFY [ARG...]: a notify script that was made for
# keepalived learns whether this node has quorum.  Run by
#
#	watch-membership -e ready,view,quorum,down -- \
#		keepalived-notify.sh db /etc/keepalived/notify.sh
#
# NOTIFY is called as keepalived calls it, with ARG... INSTANCE NAME STATE
# PRIORITY, where STATE is
#
#	BACKUP	this node has quorum: be ready
#	FAULT	it has not, or nobody can tell: let go of everything
#
# and never MASTER: that another node is gone, or that this one is the lowest,
# does not mean that the other's programs have stopped.
#
# Other than keepalived's, the calls come one after the other and in order.  Of
# each state NOTIFY is told once, after a reboot again, and again when it failed
# or did not come to its end.  A file below /run, or KEEPALIVED_NOTIFY_RUN,
# remembers what it knows.  KEEPALIVED_NOTIFY_PRIORITY: the last word, 100.
set -u
[ $# -ge 2 ] || { echo "usage: ${0##*/} NAME NOTIFY [ARG...]" >&2; exit 64; }
name=$1
shift
case $name in
'' | .* | */*)
	echo "${0##*/}: $name: not a name" >&2
	exit 64
	;;
esac
told=${KEEPALIVED_NOTIFY_RUN-/run}/keepalived-notify.$name

case ${RINGKIT_QUORATE-unknown} in
yes) state=BACKUP ;;
*) state=FAULT ;;
esac
[ "$(cat "$told" 2>/dev/null)" != "$state" ] || exit 0
# From here on until it is through nobody knows what it knows.
rm -f "$told" || exit 73
"$@" INSTANCE "$name" "$state" "${KEEPALIVED_NOTIFY_PRIORITY-100}" || exit 75
echo "$state" >"$told.new" && mv -f "$told.new" "$told" || exit 73
