# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringkit for bash, and what that of the other programs needs.
#
# A program's function gets the index of the word that names it, so that it
# serves `msgsend ...` and `ringkit msgsend ...`.  All look at what the parser
# below leaves in cur, prefix, option, operands and command.

_ringkit_dir=${BASH_SOURCE[0]%/*}
_ringkit_suffix=${BASH_SOURCE[0]##*/ringkit}

# _ringkit_parse FIRST VALUED [mixed]: what stands between the word FIRST and the
# cursor.  VALUED are the options that take a value; option is the one whose
# value the cursor is in.  Options end at the first operand, or are mixed with
# operands; command is the index of the word after "--".
_ringkit_parse()
{
	local i word valued=" ${2//[[:space:]]/ } "
	cur=${COMP_WORDS[COMP_CWORD]} prefix='' option='' operands=() command=-1
	for ((i = $1 + 1; i < COMP_CWORD && command < 0; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$option" ]; then
			# Bash makes a word of the "=" before a value.
			[ "$word" = = ] || option=''
		elif [ "$word" = -- ]; then
			command=$((i + 1))
		elif [[ $word != -?* ]] ||
			{ [ ${#operands[@]} -gt 0 ] && [ -z "${3-}" ]; }; then
			operands+=("$word")
		elif [[ $valued = *" $word "* ]]; then
			option=$word
		fi
	done
	if [ -n "$option" ] && [ "$cur" = = ]; then
		cur=''
	elif [ -z "$option" ] && [[ $cur = --*=* ]]; then
		prefix=${cur%%=*}= option=${cur%%=*} cur=${cur#*=}
	fi
}

# Calls a program's function for the command line that begins with it.
_ringkit_alone() # FUNCTION
{
	local cur prefix='' option operands command
	COMPREPLY=()
	"$1" 0
}

# Those of the words that begin with what was typed.
_ringkit_reply() # WORD...
{
	mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$*" -- "$cur")
}

_ringkit_files() # [-d]: directories only
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -P "$prefix" "${1:--f}" -- "$cur")
}

# All options; "--name=" for one that takes a value.
_ringkit_options() # VALUED OTHER
{
	local word words=$2
	for word in $1; do
		case $word in
		--*) words+=" $word=" ;;
		*) words+=" $word" ;;
		esac
	done
	_ringkit_reply "$words" -h --help -V --version -q --quiet -v --verbose
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

# A program that runs another one, after "--".
_ringkit_command()
{
	if declare -F _command_offset >/dev/null; then
		_command_offset "$command"
	elif [ "$COMP_CWORD" = "$command" ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	else
		_ringkit_files
	fi
}

# What the running ringd tells, in records; nothing when there is none, and
# after 300 ms in any case.
_ringkit_ask() # OPTION...
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
	[ ! -S "$dir/ring.sock" ] || RINGKIT_TIMEOUT=300ms \
		ringkit msgcat -q -n 0 --rundir="$dir" "$@" 2>/dev/null
}

# Groups that somebody is in, if their names need no quotes.
_ringkit_groups()
{
	_ringkit_reply "$(_ringkit_ask --members | sed -n \
		's|^exists group=\([A-Za-z0-9._/@%+,-]*\) .*|\1|p' | sort -u)"
}

_ringkit_nodes()
{
	_ringkit_reply "$(_ringkit_ask --views |
		sed -n 's/^exists node=[0-9]* name=\([^ ]*\) .*/\1/p')"
}

# The nodes of the configuration that was named, or else of the usual one.
_ringkit_configured_nodes()
{
	local i file=/etc/ringkit/ringkit.conf
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config)
			[ "${COMP_WORDS[i + 1]}" != = ] || ((i++))
			file=${COMP_WORDS[i + 1]}
			;;
		--config=*) file=${COMP_WORDS[i]#*=} ;;
		esac
	done
	_ringkit_reply "$(sed -n 's/^\[node \([^]]*\)\].*/\1/p' \
		"$file" 2>/dev/null)"
}

# ---- ringkit itself ---------------------------------------------------------

_ringkit_status()
{
	local valued=--rundir
	_ringkit_parse "$1" "$valued"
	case $option in
	--rundir) _ringkit_files -d ;;
	'') _ringkit_options "$valued" '-j --json -l --records' ;;
	esac
}

_ringkit_members()
{
	local valued='-o --fields --rundir'
	_ringkit_parse "$1" "$valued"
	case $option in
	-o | --fields)
		_ringkit_reply node name addr state inc local version \
			since_ms tags
		;;
	--rundir) _ringkit_files -d ;;
	'') _ringkit_options "$valued" '-j --json -l --records' ;;
	esac
}

_ringkit_tag()
{
	local valued='-N --node --rundir'
	_ringkit_parse "$1" "$valued"
	case $option:$cur in
	-N:* | --node:*) _ringkit_nodes ;;
	--rundir:*) _ringkit_files -d ;;
	:-*) [ ${#operands[@]} -gt 0 ] || _ringkit_options "$valued" \
		'-u --unset' ;;
	esac
}

_ringkit_forget()
{
	_ringkit_parse "$1" "--rundir ${2-}"
	case $option:$cur in
	--rundir:*) _ringkit_files -d ;;
	?*:*) ;;
	:-*) [ ${#operands[@]} -gt 0 ] || _ringkit_options "--rundir ${2-}" '' ;;
	*) [ ${#operands[@]} -gt 0 ] || _ringkit_nodes ;;
	esac
}

_ringkit_fence_confirm()
{
	_ringkit_forget "$1" '-m --method'
}

_ringkit_keygen()
{
	local valued='-o --output --id'
	_ringkit_parse "$1" "$valued"
	case $option in
	-o | --output) _ringkit_files ;;
	'') _ringkit_options "$valued" '' ;;
	esac
}

_ringkit_rotate_key()
{
	_ringkit_parse "$1" --rundir
	case $option in
	--rundir) _ringkit_files -d ;;
	'') _ringkit_options --rundir \
		'-n --dry-run --resume -j --json -l --records' ;;
	esac
}

_ringkit_reload()
{
	_ringkit_parse "$1" --rundir
	case $option in
	--rundir) _ringkit_files -d ;;
	'') _ringkit_options --rundir \
		'-n --dry-run -f --force -j --json -l --records' ;;
	esac
}

_ringkit_check_config()
{
	_ringkit_parse "$1" ''
	case $cur in
	-*) _ringkit_options '' '' ;;
	*) _ringkit_files ;;
	esac
}

_ringkit_up()
{
	local valued='-c --config --rundir --statedir --node --log -t --timeout'
	_ringkit_parse "$1" "$valued"
	case $option in
	-c | --config | --log) _ringkit_files ;;
	--rundir | --statedir) _ringkit_files -d ;;
	--node) _ringkit_configured_nodes ;;
	'') _ringkit_options "$valued" '' ;;
	esac
}

_ringkit_down()
{
	local valued='--rundir -t --timeout'
	_ringkit_parse "$1" "$valued"
	case $option in
	--rundir) _ringkit_files -d ;;
	'') _ringkit_options "$valued" --force ;;
	esac
}

_ringkit_sandbox()
{
	local valued='--start -p --port -c --config --only -t --timeout'
	_ringkit_parse "$1" "$valued"
	if [ "$command" -ge 0 ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	-c:* | --config:*) _ringkit_files ;;
	--only:*) _ringkit_reply ringd ringd,memberd ;;
	?*:*) ;;
	:-*) [ ${#operands[@]} -gt 0 ] || _ringkit_options "$valued" --stop ;;
	*) _ringkit_files -d ;;
	esac
}

# Loads and calls the completion of another program.
_ringkit_program() # NAME INDEX
{
	local file
	for file in "$_ringkit_dir/"{,ringkit-}"$1$_ringkit_suffix"; do
		if ! declare -F "_ringkit_$1" >/dev/null && [ -f "$file" ]; then
			# shellcheck source=/dev/null
			. "$file"
		fi
	done
	! declare -F "_ringkit_$1" >/dev/null || "_ringkit_$1" "$2"
}

_ringkit_front()
{
	local i=1
	while [ $i -lt "$COMP_CWORD" ] && [[ ${COMP_WORDS[i]} = -* ]]; do
		((i++))
	done
	if [ $i -lt "$COMP_CWORD" ]; then
		case ${COMP_WORDS[i]} in
		status | members | tag | forget | keygen | reload | up | down |\
		sandbox)
			"_ringkit_${COMP_WORDS[i]}" $i
			;;
		check-config) _ringkit_check_config $i ;;
		fence-confirm) _ringkit_fence_confirm $i ;;
		rotate-key) _ringkit_rotate_key $i ;;
		cfgstore | cfgstored | check-quorum | memberd | msgcat |\
		msgsend | quorumd | ringd | ringlock | watch-membership)
			_ringkit_program "${COMP_WORDS[i]}" $i
			;;
		esac
		return
	fi
	_ringkit_parse 0 ''
	case $cur in
	-*) _ringkit_options '' '' ;;
	*)
		_ringkit_reply check-config down fence-confirm forget keygen \
			members reload rotate-key sandbox status tag up \
			cfgstore cfgstored check-quorum memberd msgcat \
			msgsend quorumd ringd ringlock watch-membership
		;;
	esac
}
_ringkit() { _ringkit_alone _ringkit_front; }
complete -F _ringkit ringkit
