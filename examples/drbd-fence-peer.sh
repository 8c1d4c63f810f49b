#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# drbd-fence-peer.sh: the fence-peer handler of DRBD, with
#
#	net { fencing resource-and-stonith; }
#	handlers { fence-peer "/usr/local/sbin/drbd-fence-peer.sh"; }
#
# DRBD has frozen the device and goes on as soon as this ends with 7, which
# says that the peer was stopped.  So it says that only when the cluster has
# it on record for the very incarnation of the peer that was lost; with
# anything else the device stays frozen: no quorum, no answer, too late, a
# peer that is still there.
#
# RINGKIT_FENCE, when it is set, is a command that is given the peer's name,
# switches its power off, and ends with 0 only when it has seen it off; then
# this script puts it on record.  Without it a person does:
# `ringkit fence-confirm PEER`.  RINGKIT_FENCE_TIMEOUT: seconds for each step, 50s.
set -u
id=${DRBD_PEER_NODE_ID:?}
case $id in '' | *[!0123456789]*) exit 1 ;; esac
peer=
eval "peer=\${DRBD_NODE_ID_$id-}"
# A name of the cluster's, and no option.
case $peer in
'' | -* | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-]*)
	exit 1
	;;
esac
limit=${RINGKIT_FENCE_TIMEOUT:-50s}

check-quorum -q || exit 1
check-quorum -q quorate "fenced:$peer" && exit 7
# Its replication may fail while it is well: then nobody is shot.
check-quorum -q --wait quorate "lost:$peer" -t "$limit" || exit 1
if [ -n "${RINGKIT_FENCE-}" ]; then
	# shellcheck disable=SC2086 # a command and its words
	timeout "$limit" $RINGKIT_FENCE "$peer" || exit 1
	ringkit fence-confirm --method=fence-peer "$peer" || exit 1
fi
check-quorum -q --wait quorate "fenced:$peer" -t "$limit" && exit 7
exit 1
