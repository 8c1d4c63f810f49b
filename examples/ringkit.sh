# shellcheck shell=sh disable=SC2034 # what whoever sources it uses
# SPDX-License-Identifier: BSD-3-Clause
# ringkit.sh: records of ringkit in shell variables.  To be sourced; for dash,
# bash, mksh, busybox ash and any other shell with local patterns as POSIX has
# them.
#
#	watch-membership | while IFS= read -r line; do
#		rk_parse "$line"
#		case $RK_EVENT in
#		leave) logger "$RK_name left: $RK_reason" ;;
#		esac
#	done
#
# rk_parse LINE sets RK_EVENT, and RK_<key> for each key of the record, to the
# bytes that were meant, whatever they are; those of the record before are
# forgotten, so that ${RK_name+here} tells an empty value from none.  (A shell
# cannot hold a NUL: it is left out.)  Nothing of a record is ever run.
#
# A value that is a list has commas between its items, and other commas in
# them.  To take it apart, after rk_parse:
#
#	rk_list members
#	while rk_next; do ping -c 1 "$RK_ITEM"; done
#
# RK_ITEM is the item; RK_RAW is the same as it was written, where ":" is what
# separates a name from a value: rk_unescape "${RK_RAW#*:}" gives RK_VALUE.

RK__KEYS=

rk_unescape() # VALUE: sets RK_VALUE
{
	case $1 in
	*\\*)
		# The dot keeps line feeds at the end.
		RK_VALUE=$(printf '%b.' "$1")
		RK_VALUE=${RK_VALUE%.}
		;;
	*) RK_VALUE=$1 ;;
	esac
}

rk_parse() # LINE
{
	while [ -n "$RK__KEYS" ]; do
		unset "RK_${RK__KEYS%%" "*}"
		RK__KEYS=${RK__KEYS#*" "}
	done
	RK__LINE="$1 " RK_EVENT='' RK_LIST=''
	while [ -n "$RK__LINE" ]; do
		rk_word=${RK__LINE%%" "*} RK__LINE=${RK__LINE#*" "}
		case $rk_word in
		*=*) ;;
		*)
			[ -n "$RK_EVENT" ] || RK_EVENT=$rk_word
			continue
			;;
		esac
		rk_key=${rk_word%%=*}
		# Not a range: what lies in one depends on the locale.
		case $rk_key in
		'' | *[!abcdefghijklmnopqrstuvwxyz0123456789_]* | [0-9_]*)
			continue
			;;
		esac
		rk_unescape "${rk_word#*=}"
		eval "RK_$rk_key=\$RK_VALUE"
		RK__KEYS="$rk_key $RK__KEYS"
	done
	RK__LINE=$1
}

rk_list() # KEY: 1 when the record does not have it
{
	RK_LIST=
	case " $RK__LINE" in
	*" $1="*) ;;
	*) return 1 ;;
	esac
	RK_LIST=" $RK__LINE"
	RK_LIST=${RK_LIST#*" $1="}
	RK_LIST=${RK_LIST%%" "*}
}

rk_next() # 1 when there is no more
{
	[ -n "$RK_LIST" ] || return 1
	RK_RAW=${RK_LIST%%,*}
	case $RK_LIST in
	*,*) RK_LIST=${RK_LIST#*,} ;;
	*) RK_LIST= ;;
	esac
	rk_unescape "$RK_RAW"
	RK_ITEM=$RK_VALUE
}
