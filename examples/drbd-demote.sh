#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# drbd-demote.sh RESOURCE...: this node lost the quorum, or does not know: let
# go of what only one node may hold.  Install it as a hook, or behind the
# service that a unit is bound to:
#
#	/etc/ringkit/hooks.d/quorum-lost.d/50-drbd-demote, with the line
#		exec /usr/local/sbin/drbd-demote.sh r0
#	ExecStopPost=/usr/local/sbin/drbd-demote.sh r0
#
# Of each resource: first the service that uses it, app@RESOURCE, then the
# device.  What was done does no harm when it is done again, so it may be
# ended at any place and run once more.  It does not ask whether there is a
# quorum again: others may have taken over in between.
# Ends with 70 when a device stayed primary: then this node must be reset,
# which DRBD_DEMOTE_RESET, a command, does when it is set.
# It never makes anything primary.
set -u
[ $# -gt 0 ] || { echo "usage: ${0##*/} RESOURCE..." >&2; exit 64; }
trap '' TERM INT HUP
code=0

demote() # RESOURCE
{
	systemctl stop "app@$1.service"
	drbdadm secondary "$1" && return
	# Who still has it open is not the service: take it away.
	drbdadm secondary --force "$1"
}

for resource; do
	demote "$resource" || code=70
done
[ $code = 0 ] || [ -z "${DRBD_DEMOTE_RESET-}" ] || $DRBD_DEMOTE_RESET
exit $code
