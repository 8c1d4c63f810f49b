#!/bin/sh
# names.sh OBJECT...: exported symbols are unique in the tree, and begin with
# the first word of the name of their file.
set -eu
nm -A --defined-only --extern-only "$@" | awk '
NF == 3 {
	object = $1
	sub(":[0-9a-f]*$", "", object)
	file = object
	sub(".*/", "", file)
	sub("[_.].*", "", file)
	if (index($3, file "_") != 1) {
		print object ": " $3 " does not begin with " file "_"
		rc = 1
	}
	if ($3 in seen) {
		print object ": " $3 " is exported by " seen[$3] " too"
		rc = 1
	}
	seen[$3] = object
}
END { exit rc }'
