#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# regenerate-haproxy.sh [FILE]: the members of the cluster as the servers of a
# proxy.  Run by
#
#	watch-membership -e view,ready -- regenerate-haproxy.sh
#
# it runs for each view, and for several that come together once.
#
# FILE (/etc/haproxy/conf.d/ringkit.cfg) is always whole: made beside, checked,
# renamed.  The proxy is told when FILE is another one than it was told of,
# which FILE.loaded remembers, so a run that was ended at any place is made
# good by the next one.  Without a quorum nothing is changed: who is not seen
# from here may well be working.
#
# HAPROXY_CHECK and HAPROXY_RELOAD are commands, HAPROXY_PORT the servers' port.
# shellcheck disable=SC2154 # what rk_parse sets
set -u
file=${1:-/etc/haproxy/conf.d/ringkit.cfg}
check=${HAPROXY_CHECK-haproxy -c -f}
reload=${HAPROXY_RELOAD-systemctl reload haproxy.service}
# shellcheck source=examples/ringkit.sh
. "${RINGKIT_SH:-/usr/share/doc/ringkit/examples/ringkit.sh}"

# One consistent state, whatever happened since the event.
state=$(watch-membership --now) || exit 75

servers() # the lines for the members; 1: there is no quorum
{
	verdict=
	while IFS= read -r line; do
		rk_parse "$line"
		case $RK_EVENT:${RK_state-} in
		exists:member)
			rk_list addr
			rk_next || continue
			printf '\tserver %s %s:%s check\n' \
				"$RK_name" "$RK_ITEM" "${HAPROXY_PORT:-8080}"
			;;
		ready:*) verdict=$RK_quorate ;;
		esac
	done <<-END
		$state
	END
	[ "$verdict" = yes ]
}

new=$file.new # there is one run at a time
trap 'rm -f "$new"' EXIT
{
	printf 'backend ringkit\n\tbalance roundrobin\n'
	servers
} >"$new" || exit 75
if ! cmp -s "$new" "$file"; then
	$check "$new" >&2 || exit 65
	mv -f "$new" "$file" || exit 73
fi
cmp -s "$file" "$file.loaded" && exit 0
$reload || exit 75
cp "$file" "$new" && mv -f "$new" "$file.loaded"
