#!/bin/sh
# install.sh install|uninstall DESTDIR MODE:FROM:TO...: put files in place, or
# remove them.  MODE "link" makes TO a relative link to the path FROM.
set -eu
verb=$1 dest=$2
shift 2

relative_to() # FROM TO: how to reach FROM from the folder of TO
{
	up='' common=${2%/*}
	while [ "${1#"$common"/}" = "$1" ] && [ -n "$common" ]; do
		common=${common%/*} up=../$up
	done
	printf '%s%s' "$up" "${1#"$common"/}"
}

for entry; do
	mode=${entry%%:*} to=${entry##*:}
	from=${entry#*:}
	from=${from%:*}
	if [ "$verb" = uninstall ]; then
		rm -f "$dest$to"
		rmdir "$dest${to%/*}" 2>/dev/null || true
	elif [ "$mode" = link ]; then
		mkdir -p "$dest${to%/*}"
		ln -sf "$(relative_to "$from" "$to")" "$dest$to"
	else
		install -D -m "0$mode" "$from" "$dest$to"
		case ${to##*/} in
		_ringkit-*) # the command that it completes was renamed, too
			sed -i "1s/compdef ${from##*/_}/compdef ${to##*/_}/" \
				"$dest$to"
			;;
		esac
	fi
done
