#!/usr/bin/env bats
# Completions, asked of the shells themselves: they offer the options that the
# programs have, and what the running ring knows.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load helpers

setup_file()
{
	patient_nodes 2 --only=ringd
	# Somebody is in two groups as long as the file's tests run.
	mkfifo "$BATS_FILE_TMPDIR/member"
	(
		printf 'join group=deploy/web\njoin group=dev\n'
		exec cat "$BATS_FILE_TMPDIR/member"
	) 3>&- | nc -U "$RINGKIT_RUNDIR/ring.sock" >"$BATS_FILE_TMPDIR/joined" 3>&- &
	export MEMBER=$!
	await both_joined
	install_completions
}

teardown_file()
{
	kill "$MEMBER" || true
	: <>"$BATS_FILE_TMPDIR/member"
	stop_nodes
}

both_joined() { [ "$(grep -c '^ok pos=' "$BATS_FILE_TMPDIR/joined")" = 2 ]; }

setup()
{
	tree=$BATS_TEST_DIRNAME/../../completions
	share=$BATS_FILE_TMPDIR/installed/usr/share
	cd "$BATS_TEST_TMPDIR" || return
}

# What `make install` does with the completions, and no more of it.
install_completions()
{
	local line entries
	cd "$BATS_TEST_DIRNAME/../.." || return
	line=$(env -u MAKEFLAGS -u MAKELEVEL make -n -o all install \
		prefix=/usr DESTDIR= | grep 'install\.sh install')
	entries=$(tr ' ' '\n' <<<"$line" | grep ':completions/')
	# shellcheck disable=SC2086 # a list of words
	sh tests/run/install.sh install "$BATS_FILE_TMPDIR/installed" $entries
}

need() # SHELL
{
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

# ---- asking -----------------------------------------------------------------

# What a shell offers at the end of a line, one a line, sorted.
offers() # bash|zsh|fish LINE [DIR]
{
	local dir=${3-$tree}
	case $1 in
	bash) bash "$BATS_TEST_DIRNAME/completes.bash" "$dir" "$2" ;;
	zsh)
		timeout 60 zsh -f "$BATS_TEST_DIRNAME/completes.zsh" "$dir" \
			"$2" "$BATS_FILE_TMPDIR/dump$(($# - 2))" 3>&-
		;;
	fish)
		# shellcheck disable=SC2016 # fish's variables
		XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish -N -c '
			for file in $argv[1]/*.fish; source $file; end
			complete -C "$argv[2]"' "$dir" "$2" 3>&- | cut -f1
		;;
	esac | sed 's/=$//' | grep . | sort -u
}

# The same, on one line.
offered() { offers "$@" | tr '\n' ' '; }

# -x and --long of a --help, one a line.
options_of_help() # COMMAND...
{
	"$@" --help | sed -n \
		's/^  \(-.\)\{0,1\},\{0,1\} *\(--[a-z0-9-]*\)\{0,1\}.*/\1\n\2/p' |
		grep -- - | sort
}

same_options() # SHELL COMMAND...
{
	local shell=$1
	shift
	options_of_help "$@" >help
	grep -qx -- --help help
	offers "$shell" "$* -" >offered
	diff help offered
}

every_option() # SHELL
{
	local command
	same_options "$1" ringd
	same_options "$1" memberd
	same_options "$1" quorumd
	same_options "$1" cfgstored
	same_options "$1" msgsend
	same_options "$1" check-quorum
	same_options "$1" ringlock
	same_options "$1" watch-membership
	same_options "$1" cfgstore
	for command in $(verbs_of_cfgstore); do
		same_options "$1" cfgstore "$command"
	done
	same_options "$1" ringkit
	for command in status members tag forget fence-confirm keygen \
		rotate-key reload check-config up down sandbox \
		cfgstore cfgstored check-quorum memberd msgcat msgsend \
		quorumd ringd ringlock watch-membership; do
		same_options "$1" ringkit $command
	done
}

verbs_of_cfgstore()
{
	cfgstore --help | sed -n 's/^  \([a-z][a-z, -]*[a-z]\)   *.*/\1/p' |
		tr -d , | tr ' ' '\n' | sort
}

every_command() # SHELL
{
	{
		ringkit --help |
			sed -n 's/^  \([a-z][a-z, -]*[a-z]\)   .*/\1/p' |
			tr -d ,
		echo cfgstore cfgstored check-quorum memberd msgcat msgsend \
			quorumd ringd ringlock watch-membership
	} | tr ' ' '\n' | sort >help
	grep -qx sandbox help
	offers "$1" 'ringkit ' | diff help -
	verbs_of_cfgstore >help
	grep -qx export help
	offers "$1" 'cfgstore ' | diff help -
}

# Groups, nodes, words, and silence.
values() # SHELL
{
	[ "$(offered "$1" 'msgsend d')" = 'deploy/web dev ' ]
	[ "$(offered "$1" 'ringkit msgsend de')" = 'deploy/web dev ' ]
	[ "$(offered "$1" 'ringkit msgcat dep')" = 'deploy/web ' ]
	[ "$(offered "$1" 'ringkit msgcat --from ')" = 'n1 n2 ' ]
	[ "$(offered "$1" 'msgsend --confirm ')" = 'agreed none safe ' ]
	[ "$(offered "$1" 'check-quorum --wait q')" = 'quorate ' ]
	[ "$(offered "$1" 'watch-membership -e le')" = 'leave ' ]
	[ "$(offered "$1" 'ringkit watch-membership -N n')" = 'n1 n2 ' ]
	[ "$(offered "$1" 'check-quorum member:n')" = 'member:n1 member:n2 ' ]
	[ "$(offered "$1" 'ringkit check-quorum -o bas')" = 'basis ' ]
	[ "$(offered "$1" 'ringd --log-level d')" = 'debug ' ]
	[ "$(offered "$1" "ringd -c $NODES/ringkit.conf --node ")" = 'n1 n2 ' ]
	[ "$(offered "$1" "ringkit up -c $NODES/ringkit.conf --node ")" = \
		'n1 n2 ' ]
	[ "$(offered "$1" 'ringkit forget ')" = 'n1 n2 ' ]
	[ "$(offered "$1" 'ringkit tag --node ')" = 'n1 n2 ' ]
	[ "$(offered "$1" "msgsend --rundir $PWD d")" = '' ]
}

# No daemon, one that is stopped, and no words but what was asked for.
silence() # SHELL
{
	local begun=$SECONDS
	[ "$(RINGKIT_RUNDIR=$PWD offered "$1" 'msgsend d' 2>&1)" = '' ]
	freeze "$(node_pid 2)"
	[ "$(RINGKIT_RUNDIR=$NODES/2 offered "$1" 'msgsend d' 2>&1)" = '' ] ||
		begun=-100
	thaw "$(node_pid 2)"
	[ $((SECONDS - begun)) -lt 25 ]
}

# ---- bash -------------------------------------------------------------------

@test "bash offers every command of ringkit and every option" {
	every_command bash
	every_option bash
}

@test "bash offers groups, nodes and words" {
	values bash
	[ "$(offered bash 'msgsend --confirm=s')" = 'safe ' ]
	[ "$(offered bash 'ringkit msgcat --from=n1')" = 'n1 ' ]
}

@test "bash offers options behind operands, and none behind --" {
	[ "$(offered bash 'msgsend dev --sk')" = '--skip-empty ' ]
	[ "$(offered bash 'ringkit msgcat dev --fr')" = '--framed --from ' ]
	[ "$(offered bash 'msgsend dev -- --sk')" = '' ]
}

@test "bash offers nothing, soon, when ringd is away or stopped" {
	silence bash
}

@test "bash leaves gettext's msgcat alone where we are installed" {
	local dir=$share/bash-completion/completions
	[ -e "$dir/ringkit-msgcat" ]
	[ ! -e "$dir/msgcat" ]
	[ "$(offered bash 'ringkit msgcat --fr' "$dir")" = '--framed --from ' ]
	[ "$(offered bash 'ringkit msgsend --fr' "$dir")" = '--framed ' ]
	[ "$(offered bash 'msgsend --fr' "$dir")" = '--framed ' ]
	for file in "$dir"/*; do
		# shellcheck source=/dev/null
		. "$file"
	done
	run ! complete -p msgcat
}

# ---- zsh --------------------------------------------------------------------

@test "zsh offers every command of ringkit and every option" {
	need zsh
	every_command zsh
	every_option zsh
}

@test "zsh offers groups, nodes and words" {
	need zsh
	values zsh
	[ "$(offered zsh 'ringkit msgcat --from=n')" = 'n1 n2 ' ]
}

@test "zsh offers options behind operands, and none behind --" {
	need zsh
	[ "$(offered zsh 'msgsend dev --sk')" = '--skip-empty ' ]
	[ "$(offered zsh 'ringkit msgcat dev --fr')" = '--framed --from ' ]
	[ "$(offered zsh 'msgsend dev -- --sk')" = '' ]
}

@test "zsh offers nothing, soon, when ringd is away or stopped" {
	need zsh
	silence zsh
}

@test "zsh leaves gettext's msgcat alone where we are installed" {
	need zsh
	local dir=$share/zsh/site-functions
	[ -e "$dir/_ringkit-msgcat" ]
	[ ! -e "$dir/_msgcat" ]
	[ "$(offered zsh 'ringkit msgcat --fr' "$dir")" = '--framed --from ' ]
	run ! grep -E '^#compdef.* msgcat' "$dir"/*
}

# ---- fish -------------------------------------------------------------------

@test "fish offers every command of ringkit and every option" {
	need fish
	every_command fish
	every_option fish
}

@test "fish offers groups, nodes and words" {
	need fish
	values fish
}

@test "fish offers nothing, soon, when ringd is away or stopped" {
	need fish
	silence fish
}

@test "fish leaves gettext's msgcat alone where we are installed" {
	need fish
	local dir=$share/fish/vendor_completions.d
	[ -e "$dir/ringkit-msgcat.fish" ]
	[ ! -e "$dir/msgcat.fish" ]
	[ "$(offered fish 'ringkit msgcat --fr' "$dir")" = '--framed --from ' ]
	[ "$(offered fish 'msgcat --fr' "$dir")" = '' ]
}
