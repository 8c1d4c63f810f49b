# shellcheck shell=bash disable=SC2034,SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of cfgstore for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*cfgstore}"
fi

# Of the keys that the store has, those that need no quotes; none without a
# daemon, and after 300 ms.
_ringkit_cfgstore_keys()
{
	local i dir=${RINGKIT_RUNDIR:-/run/ringkit}
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--rundir=*) dir=${COMP_WORDS[i]#*=} ;;
		--rundir)
			[ "${COMP_WORDS[i + 1]}" != = ] || ((i++))
			dir=${COMP_WORDS[i + 1]}
			;;
		esac
	done
	[ ! -S "$dir/cfg.sock" ] || _ringkit_reply "$(RINGKIT_TIMEOUT=300ms \
		ringkit cfgstore list -q -k -p --rundir="$dir" -- "$cur" \
		2>/dev/null | grep -x '[A-Za-z0-9._/@%+,-]*' | head -n 1000)"
}

# Options of a verb: valued and other.
_ringkit_cfgstore_options()
{
	valued='-t --timeout --rundir' other=''
	case $1 in
	get)
		valued+=' -d --default -R --rev -o --fields -O --output'
		other='-r --raw --sync -j --json'
		;;
	list)
		valued+=' -o --fields'
		other='
			-l --records -k --keys -j --json -0 --null -p
			--prefix --sync'
		;;
	set)
		valued+='
			--if-rev --if-value --ttl --lease --durability -o
			--fields'
		other='
			--if-absent --if-exists -c --chomp --literal --lock
			-j --json'
		;;
	cas)
		valued+=' --ttl --lease --durability -o --fields'
		other='-c --chomp --literal --lock -j --json'
		;;
	del)
		valued+=' --if-rev --durability -o --fields'
		other='-p --prefix --lock -j --json'
		;;
	txn)
		valued+=' --durability -o --fields'
		other='--lock -j --json'
		;;
	edit)
		valued+=' --durability -o --fields'
		other='-c --chomp --lock -j --json'
		;;
	wait)
		valued+=' --is --is-not -o --fields --ready-fd'
		other='--absent --sync -j --json'
		;;
	watch)
		valued+='
			--since -n --count -o --fields --ready-fd --settle
			--max-delay --hook-timeout --retries --on-error
			--state'
		other='
			--now --no-snapshot --sync -1 -p --prefix -j --json
			-0 --null --no-reconnect --wait-daemon --every'
		;;
	history)
		valued+=' -n --count -o --fields'
		other='-j --json'
		;;
	revert)
		valued+=' --durability -o --fields'
		other='--lock -j --json'
		;;
	export)
		other='-p --prefix --sync'
		;;
	import)
		valued+=' -g --glob -o --fields --durability'
		other='
			--merge --replace --allow-empty -n --dry-run --atomic
			-j --json --lock'
		;;
	diff)
		valued+=' -g --glob -o --fields'
		other='--merge --replace --allow-empty --sync -j --json'
		;;
	leader)
		valued+=' -w --wait -o --fields'
		other='--self --sync -j --json'
		;;
	lease)
		valued+=' -o --fields'
		other='-j --json'
		;;
	status)
		valued+=' -o --fields'
		other='--open -j --json'
		;;
	nodes)
		valued+=' -o --fields'
		other='-j --json'
		;;
	init)
		other='--yes'
		;;
	electorate)
		valued+=' --remove --node --votes -o --fields'
		other='--shrink -j --json'
		;;
	limits)
		valued+=' -o --fields'
		other='-j --json'
		;;
	compact)
		valued+=' -o --fields'
		other='-j --json'
		;;
	esac
}

_ringkit_cfgstore_fields() # VERB
{
	case $1 in
	get)
		_ringkit_reply \
			key rev created by lease store_rev age_ms len value
		;;
	list)
		_ringkit_reply key rev created by lease len value
		;;
	set | cas | del | txn | edit | revert)
		_ringkit_reply rev n lease key
		;;
	wait | history)
		_ringkit_reply event key rev by value
		;;
	watch)
		_ringkit_reply event key rev prev by lease value old seq ts
		;;
	import | diff)
		_ringkit_reply event key value old
		;;
	leader)
		_ringkit_reply value by rev key
		;;
	lease)
		_ringkit_reply lease ttl_ms left_ms renewals by keys n
		;;
	status)
		_ringkit_reply \
			state why epoch index acked rev compacted keys bytes \
			view votes needed age_ms
		;;
	esac
}

_ringkit_cfgstore_value() # VERB OPTION
{
	case $2 in
	-o | --fields) _ringkit_cfgstore_fields "$1" ;;
	-O | --output | --state) _ringkit_files ;;
	--rundir) _ringkit_files -d ;;
	--durability) _ringkit_reply disk memory ;;
	--on-error) _ringkit_reply continue exit ;;
	--remove) _ringkit_nodes ;;
	esac
}

_ringkit_cfgstore_operand() # VERB
{
	case $1:${#operands[@]} in
	txn:0 | import:0 | diff:0) _ringkit_files ;;
	set:1 | cas:2)
		if [[ $cur = @* ]]; then
			prefix=@ cur=${cur#@}
			_ringkit_files
		fi
		;;
	lease:0) _ringkit_reply grant renew release list ;;
	limits:*)
		_ringkit_reply keys= bytes= value= leases=
		compopt -o nospace 2>/dev/null
		;;
	del:* | list:* | watch:* | export:* | [eghrsw]*:0 | cas:0)
		_ringkit_cfgstore_keys
		;;
	esac
}

_ringkit_cfgstore_verb() # VERB INDEX
{
	local valued other mixed=mixed
	_ringkit_cfgstore_options "$1"
	case $1 in
	set | cas) mixed='' ;;
	esac
	_ringkit_parse "$2" "$valued" $mixed
	if [ "$command" -ge 0 ] && [ "$1" = watch ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	?*:*) _ringkit_cfgstore_value "$1" "$option" ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	*) _ringkit_cfgstore_operand "$1" ;;
	esac
}

_ringkit_cfgstore() # INDEX
{
	local i=$(($1 + 1))
	while [ $i -lt "$COMP_CWORD" ] && [[ ${COMP_WORDS[i]} = -* ]]; do
		((i++))
	done
	if [ $i -lt "$COMP_CWORD" ]; then
		_ringkit_cfgstore_verb "${COMP_WORDS[i]}" $i
		return
	fi
	_ringkit_parse "$1" ''
	case $cur in
	-*) _ringkit_options '' '' ;;
	*)
		_ringkit_reply cas compact del diff edit electorate export \
			get history import init leader lease limits list \
			nodes revert set status txn wait watch
		;;
	esac
}

_ringkit_alone_cfgstore() { _ringkit_alone _ringkit_cfgstore; }
complete -F _ringkit_alone_cfgstore cfgstore
