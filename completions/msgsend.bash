# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of msgsend for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*msgsend}"
fi

_ringkit_msgsend()
{
	local valued='-f --file -m --message -T --separator --confirm --retry
		--rate -t --timeout --rundir'
	local other='-l --lines -w --whole -0 --null --framed --json
		--require-quorum --tee --skip-empty --allow-empty'

	_ringkit_parse "$1" "$valued" mixed
	[ "$command" -lt 0 ] || return
	case $option:$cur in
	-f:* | --file:*) _ringkit_files ;;
	--confirm:*) _ringkit_reply agreed safe none ;;
	--rundir:*) _ringkit_files -d ;;
	?*:*) ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	*) [ ${#operands[@]} -gt 0 ] || _ringkit_groups ;;
	esac
}

_ringkit_alone_msgsend() { _ringkit_alone _ringkit_msgsend; }
complete -F _ringkit_alone_msgsend msgsend
