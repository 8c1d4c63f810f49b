#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# drbd-hold.sh RESOURCE: makes the device primary and runs the service that uses
# it, app@RESOURCE, until it is told to end; then takes both back.  Only below
# ringlock, on every node that has the device:
#
#	ExecStart=ringlock --ttl 30s --grace 20s --on-stuck=reboot \
#		drbd/r0 -- /usr/local/sbin/drbd-hold.sh r0
#
# Promotion happens nowhere else.  Ends with 0 when it was told to and the device
# is secondary again, with 1 or 75 when the service ended or failed by itself;
# with 70 when the device stays primary: then the lock is not given back early, and
# --on-stuck resets this node before others get it.  TimeoutStopSec of the
# service must be less than the grace.
set -u
res=${1:?resource}
if [ -z "${RINGKIT_LOCK_TOKEN-}" ]; then
	echo "${0##*/}: only below ringlock" >&2
	exit 64
fi

demote() # CODE
{
	trap '' TERM INT HUP QUIT
	systemctl stop "app@$res.service"
	drbdadm secondary "$res" || drbdadm secondary --force "$res" || exit 70
	exit "$1"
}
trap 'demote 0' TERM INT HUP QUIT

drbdadm primary "$res" || demote 75
# Starts it and waits until it has ended: in the background, for a trap runs
# only when what is waited for is no child in the foreground.
systemctl start --wait "app@$res.service" &
wait $! || demote 75
demote 1
