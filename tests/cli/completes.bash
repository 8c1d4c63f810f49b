#!/usr/bin/env bash
# completes.bash DIR LINE: what bash offers at the end of LINE with the
# completions of DIR loaded as bash-completion loads them: by the command's
# name.  One a line.
set -u
dir=$1 line=$2
set -f
# Bash makes words of blanks and of "=".
# shellcheck disable=SC2206 # words are meant
COMP_WORDS=(${line//=/ = })
[[ $line != *[[:space:]] ]] || COMP_WORDS+=('')
set +f
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
for file in "$dir/${COMP_WORDS[0]}"{,.bash}; do
	# shellcheck source=/dev/null
	[ ! -f "$file" ] || . "$file"
done
function=$(complete -p "${COMP_WORDS[0]}" 2>/dev/null |
	sed 's/.*-F \([^ ]*\) .*/\1/')
[ -n "$function" ] || exit 0
COMPREPLY=()
"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" ''
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
