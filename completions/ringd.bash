# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringd for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*ringd}"
fi

_ringkit_ringd()
{
	local valued='-c --config --rundir --statedir --node --user --log-level
		--ready-fd'

	_ringkit_parse "$1" "$valued"
	case $option in
	-c | --config) _ringkit_files ;;
	--rundir | --statedir) _ringkit_files -d ;;
	--node) _ringkit_configured_nodes ;;
	--user) mapfile -t COMPREPLY < <(compgen -P "$prefix" -u -- "$cur") ;;
	--log-level) _ringkit_reply error warning notice info debug ;;
	'') _ringkit_options "$valued" '--check --no-supervisor' ;;
	esac
}

_ringkit_alone_ringd() { _ringkit_alone _ringkit_ringd; }
complete -F _ringkit_alone_ringd ringd
