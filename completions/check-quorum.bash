# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of check-quorum for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*check-quorum}"
fi

# Bash makes a word of the colon, unless it was told not to.
_ringkit_conditions()
{
	local kind node words='quorate coordinator alone all daemon settled'
	case $cur:${COMP_WORDS[COMP_CWORD - 1]} in
	:: | *::)
		_ringkit_nodes
		return
		;;
	esac
	if [[ $cur = '!'* ]]; then
		prefix='!' cur=${cur#!}
	fi
	words+=' members>= member: lost: restarted: fenced:'
	kind=${cur%%:*}:
	if [[ $cur = *:* && " $words " = *" $kind "* ]]; then
		node=$cur && cur=''
		_ringkit_nodes
		words=" ${COMPREPLY[*]#"$prefix"}" cur=$node
		words=${words// / $kind}
	fi
	_ringkit_reply "$words"
	[[ ${COMPREPLY[0]-} != *[:=] ]] || compopt -o nospace 2>/dev/null
}

_ringkit_check-quorum()
{
	local valued='-o --fields --fresh --for -t --timeout --kill-after
		--rundir'
	local other='-j --json --why --nagios --wait --hold --ignore-child
		--watch'

	_ringkit_parse "$1" "$valued"
	if [ "$command" -ge 0 ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	-o:* | --fields:*)
		_ringkit_reply quorate votes needed expected basis view pos \
			members self name coordinator settled age_ms \
			waiting_for why
		;;
	--rundir:*) _ringkit_files -d ;;
	-*:*) ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	*) _ringkit_conditions ;;
	esac
}

_ringkit_alone_check-quorum() { _ringkit_alone _ringkit_check-quorum; }
complete -F _ringkit_alone_check-quorum check-quorum
