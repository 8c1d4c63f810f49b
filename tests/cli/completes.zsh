# completes.zsh DIR LINE DUMP: what zsh offers at the end of LINE, with the
# completions of DIR; compinit keeps in DUMP what it found there.  One a line.
# A real shell is on a terminal of its own, and a wrapper of compadd tells what
# came to it, but not what it only filters (-O, -A, -D).
zmodload zsh/zpty || exit
zpty -b shell zsh -f -i
zpty -w shell "PS1= RPS1= PROMPT_EOL_MARK= LISTMAX=100000; stty -echo
fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -C -d ${(q)3:?no DUMP}"
zpty -w shell 'forget() { offered=() }
tell() { compstate[list]= compstate[insert]=; print -r -- "<${(j:|:)offered}>" }
compadd() {
	local -a caught
	if [[ ${(j: :)@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
		builtin compadd -A caught "$@"
		offered+=($caught)
	fi
	builtin compadd "$@"
}
compprefuncs=(forget) comppostfuncs=(tell); bindkey "^I" complete-word
print R""EADY'
zpty -r shell output '*READY*'
zpty -w -n shell "$2"$'\t'
zpty -r shell output '*<*>*'
print -lr -- ${(s:|:)${output##*<}%%>*}
zpty -d shell
