# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of `ringkit msgcat` for bash.
#
# The command msgcat is gettext's, and is left alone.  Who has ours in PATH
# says so after loading this: complete -F _ringkit_alone_msgcat msgcat

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*msgcat}"
fi

_ringkit_msgcat()
{
	local valued='-n --count -t --timeout -i --idle -F --pattern --from
		--ready-fd --hook-timeout --on-error --rundir'
	local other='-l --records -j --json -N --no-newline -0 --null --framed
		--members --views --lossless --no-reconnect'

	_ringkit_parse "$1" "$valued" mixed
	if [ "$command" -ge 0 ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	--from:*) _ringkit_nodes ;;
	--on-error:*) _ringkit_reply continue exit ;;
	--rundir:*) _ringkit_files -d ;;
	?*:*) ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	*) _ringkit_groups ;;
	esac
}

_ringkit_alone_msgcat() { _ringkit_alone _ringkit_msgcat; }
complete -F _ringkit_alone_msgcat ringkit-msgcat
