#!/bin/sh
# includes.sh FILE...: who may include whom.  Paths are written from the root.
#   libcommon/base and the pure files of programs: base, pure files of their
#   own folder, and the headers of libc that do nothing;
#   libcommon/os: base and os;  a program: base, os and its own folder;
#   tests: everything.
# A .c file with a header of the same name includes it before all others.
set -eu
awk '
function folder(path) { sub("/[^/]*$", "", path); return path }
function is_pure(path) {
	return path ~ "^libcommon/base/" ||
	    path ~ "^bin/ringd/(totem|group|session|link|change)[a-z_]*\\.[ch]$" ||
	    path ~ "^bin/memberd/member(_[a-z_]*)?\\.[ch]$" ||
	    path ~ "^bin/quorumd/quorum(_[a-z_]*)?\\.[ch]$" ||
	    path ~ "^bin/cfgstored/kv(_[a-z_]*)?\\.[ch]$" ||
	    path ~ "^bin/ringlock/lock(_[a-z_]*)?\\.[ch]$"
}
function is_allowed(from, to) {
	if (from ~ "^tests/")
		return to ~ "^(libcommon|bin|tests)/"
	if (to ~ "^libcommon/base/")
		return 1
	if (is_pure(from))
		return is_pure(to) && folder(from) == folder(to)
	if (to ~ "^libcommon/os/")
		return 1
	return folder(from) == folder(to)
}
function bad(why) { print FILENAME ":" FNR ": " why; rc = 1 }
FNR == 1 {
	count = 0
	own = FILENAME
	sub("\\.c$", ".h", own)
	if (own == FILENAME || (getline line < own) < 0)
		own = ""
	else
		close(own)
}
/^#[ \t]*include/ {
	name = $2
	is_system = name ~ /^</
	gsub(/[<>"]/, "", name)
	if (count++ == 0 && own != "" && name != own)
		bad("must include " own " first")
	if (is_system) {
		if (is_pure(FILENAME) && name !~ calm &&
		    FILENAME != "libcommon/base/ensure.c")
			bad("pure code may not include <" name ">")
		next
	}
	if ((getline line < name) < 0)
		bad("\"" name "\" is no path from the root")
	else {
		close(name)
		if (!is_allowed(FILENAME, name))
			bad("may not include " name)
	}
}
END { exit rc }' \
calm='^(assert|inttypes|limits|stdalign|stdarg|stdbool|stddef|stdint|string)[.]h$' \
"$@"
