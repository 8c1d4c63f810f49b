#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# rolling-restart.sh SERVICE: restarts a service of this node, one node of the
# cluster at a time; may be started on all of them at once.  AT_ONCE=2 nodes
# are restarted together; CHECK is a command that must hold before the next one
# may begin, within a minute.
# A node whose service does not come back keeps its turn: nobody goes on.
set -u
service=${1:?service}
check=${CHECK:-systemctl is-active --quiet $service}

if [ -z "${RINGKIT_LOCK_TOKEN-}" ]; then
	exec ringlock --slots "${AT_ONCE:-1}" ${WAIT:+-w "$WAIT"} \
		"restart/$service" -- "$0" "$service"
fi
systemctl restart "$service"
tries=60
until $check; do
	tries=$((tries - 1))
	if [ $tries = 0 ]; then
		echo "${0##*/}: $service did not come back" >&2
		exec tail -f /dev/null # held until somebody looks
	fi
	sleep "${PAUSE:-1}" # no event: CHECK may be any command
done
