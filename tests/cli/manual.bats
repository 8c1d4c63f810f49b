#!/usr/bin/env bats
# The manual pages tell the truth: their examples run, and options, exit
# codes and settings are those of the programs.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load helpers

setup_file()
{
	LEASE=3s patient_nodes 3
	await store_is_open
}
store_is_open() { ringkit status | grep -q '^store  open'; }
teardown_file() { stop_nodes; }

setup()
{
	man=$BATS_TEST_DIRNAME/../../man
	cd "$BATS_TEST_TMPDIR" || return
}

# ---- examples ---------------------------------------------------------------

examples() # PAGE
{
	DOCTEST_NET=127.$((100 + ${RINGKIT_TEST_SLOT:-0})).0. \
		DOCTEST_PORT=$(($(test_port) + 8)) \
		bash "$BATS_TEST_DIRNAME/doctest.bash" "$man/$1" 3>&-
}

@test "the examples of msgsend.1 do what is shown" {
	examples msgsend.1
}

@test "the examples of msgcat.1 do what is shown" {
	examples msgcat.1
}

@test "the examples of check-quorum.1 do what is shown" {
	examples check-quorum.1
}

@test "the examples of cfgstore.1 do what is shown" {
	run_store_examples
}

# On a node of its own, which no busy machine can part from its majority.
run_store_examples()
(
	export BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	patient_nodes 1 --port=$(($(test_port) + 4))
	trap stop_nodes EXIT
	await cfgstore status -q --open
	examples cfgstore.1
)

@test "the examples of ringkit.1 do what is shown" {
	examples ringkit.1
}

@test "the examples of ringkit-format.5 do what is shown" {
	examples ringkit-format.5
}

@test "the examples of ringkit.conf.5 do what is shown" {
	examples ringkit.conf.5
}

@test "the examples of ringkit-protocol.7 do what is shown" {
	examples ringkit-protocol.7
}

@test "the examples of ringd.8 do what is shown" {
	examples ringd.8
}

@test "the examples of memberd.8 do what is shown" {
	examples memberd.8
}

@test "the examples of quorumd.8 do what is shown" {
	examples quorumd.8
}

@test "the examples of cfgstored.8 do what is shown" {
	examples cfgstored.8
}

@test "the examples of ringlock.1 do what is shown" {
	examples ringlock.1
}

@test "the examples of watch-membership.1 do what is shown" {
	examples watch-membership.1
}

@test "the examples of ringkit-recipes.7 do what is shown" {
	examples ringkit-recipes.7
}

@test "the examples of ringkit-hooks.7 do what is shown" {
	examples ringkit-hooks.7
}

@test "no page has examples that are not run" {
	local page
	for page in "$man"/*.[1-9]; do
		! grep -q '^\.Sh EXAMPLES' "$page" ||
			grep -q "^	examples ${page##*/}\$" "$BATS_TEST_FILENAME"
	done
}

@test "the runner of examples sees what differs" {
	example 'echo a' b
	run -1 bash "$BATS_TEST_DIRNAME/doctest.bash" page
	[[ $output = *'should print'*b*'and printed'*a* ]]
	example 'echo a b c' 'a...c'
	bash "$BATS_TEST_DIRNAME/doctest.bash" page
	example 'echo a b c' 'a...b'
	run -1 bash "$BATS_TEST_DIRNAME/doctest.bash" page
	example 'printf "%s\en" 1 2 3' '...
3'
	bash "$BATS_TEST_DIRNAME/doctest.bash" page
	example 'echo "[a-z]*"' '[a-z]*'
	bash "$BATS_TEST_DIRNAME/doctest.bash" page
	example 'true' ''
	bash "$BATS_TEST_DIRNAME/doctest.bash" page
	example '{ sleep 0.3; echo late; } &' '' # no event: it is to be late
	DOCTEST_S=60 run -1 bash "$BATS_TEST_DIRNAME/doctest.bash" page
	[[ $output = *'after the last example came'*late* ]]
	printf '.Sh EXAMPLES\nnone\n' >page
	run -2 bash "$BATS_TEST_DIRNAME/doctest.bash" page
}

example() # COMMAND SHOWN
{
	printf '.Sh EXAMPLES\n.Bd -literal\n$ %s\n%s.Ed\n' \
		"$1" "${2:+$2
}" >page
	export DOCTEST_S=1
}

# ---- options ----------------------------------------------------------------

# -x and --long of a --help, one a line.
options_of_help() # COMMAND...
{
	"$@" --help | sed -n \
		's/^  \(-.\)\{0,1\},\{0,1\} *\(--[a-z0-9-]*\)\{0,1\}.*/\1\n\2/p' |
		grep -- - | sort
}

# The same of the items of a page below a heading, up to the next one.
options_of_page() # PAGE HEADING
{
	awk -v heading="$2" '
	/^\.S[hs] / { here = $0 == heading }
	here && /^\.It Fl/ {
		for (i = 2; i <= NF; i++)
			if ($i == "Fl")
				print "-" $(i + 1)
	}' "$man/$1" | sort
}

same_options() # PAGE COMMAND...
{
	options_of_page "$1" '.Sh DESCRIPTION' >page
	shift
	options_of_help "$@" >help
	grep -qx -- --help help
	diff help page
}

@test "ringd.8 has the options of ringd" {
	same_options ringd.8 ringd
}

@test "memberd.8 has the options of memberd" {
	same_options memberd.8 memberd
}

@test "quorumd.8 has the options of quorumd" {
	same_options quorumd.8 quorumd
}

@test "cfgstored.8 has the options of cfgstored" {
	same_options cfgstored.8 cfgstored
}

@test "msgsend.1 has the options of msgsend" {
	same_options msgsend.1 msgsend
}

@test "msgcat.1 has the options of msgcat" {
	same_options msgcat.1 msgcat
}

@test "check-quorum.1 has the options of check-quorum" {
	same_options check-quorum.1 check-quorum
}

@test "watch-membership.1 has the options of watch-membership" {
	same_options watch-membership.1 watch-membership
}

@test "ringlock.1 has the options of ringlock" {
	same_options ringlock.1 ringlock
}

@test "ringkit.1 has the options of ringkit and of each command" {
	same_options ringkit.1 ringkit
	same_options_of_commands ringkit
}

@test "cfgstore.1 has the options of cfgstore and of each verb" {
	same_options cfgstore.1 cfgstore
	same_options_of_commands cfgstore
}

same_options_of_commands() # PROGRAM
{
	local command
	for command in $(commands_of "$1"); do
		options_of_help "$1" "$command" >help
		{
			options_of_page "$1.1" '.Sh DESCRIPTION'
			options_of_page "$1.1" ".Ss $command"
		} | sort >page
		diff help page
	done
}

commands_of() # PROGRAM
{
	"$1" --help | sed -n 's/^  \([a-z][a-z, -]*[a-z]\)   .*/\1/p' |
		tr -d ,
}

@test "ringkit.1 and cfgstore.1 have a section for each command" {
	same_sections ringkit sandbox
	same_sections cfgstore export
}

same_sections() # PROGRAM COMMAND-IT-HAS
{
	commands_of "$1" | tr ' ' '\n' | sort >help
	sed -n 's/^\.Ss //p' "$man/$1.1" | sort >page
	grep -qx "$2" help
	diff help page
}

# ---- tables -----------------------------------------------------------------

@test "a help that cannot be written: 74, of tools and of daemons" {
	local program
	for program in ringd memberd quorumd cfgstored ringlock cfgstore \
		ringkit msgsend msgcat check-quorum watch-membership; do
		# shellcheck disable=SC2016 # for that shell
		run -74 sh -c '"$0" --help >/dev/full' "$program"
		[[ $output == "$program: standard output: "* ]]
		# shellcheck disable=SC2016 # for that shell
		run -74 sh -c '"$0" --version >&-' "$program"
	done
}

@test "the exit codes of every page are those of exitcode.h" {
	local page code
	sed -n 's/.* = \([0-9]*\),.*/\1/p' \
		"$BATS_TEST_DIRNAME/../../libcommon/os/exitcode.h" >codes
	echo 141 >>codes # TOOL_EXIT_PIPE
	grep -qx 78 codes
	for page in "$man"/*.[1-9]; do
		for code in $(exit_codes "$page"); do
			grep -qx "$code" codes || {
				echo "$page: $code"
				return 1
			}
		done
	done
}

exit_codes() # PAGE
{
	awk '/^\.Sh / { here = $0 == ".Sh EXIT STATUS" }
	here && /^\.It [0-9]/ { print $2 }' "$1"
}

@test "every program's page lists its exit codes, once and in order" {
	local page
	for page in ringd.8 memberd.8 quorumd.8 cfgstored.8 \
		msgsend.1 msgcat.1 check-quorum.1 watch-membership.1 cfgstore.1 ringlock.1 \
		ringkit.1 \
		ringkit.7; do
		exit_codes "$man/$page" >codes
		grep -qx 64 codes
		sort -nu codes | diff codes -
	done
}

@test "ringkit.conf.5 has the settings that the daemons read" {
	sed -n 's/^	{ "\([a-z0-9_]*\)", CONF_.*/\1/p' \
		"$BATS_TEST_DIRNAME/../../libcommon/os/"cluster*.c | sort >code
	sed -n 's/^\.It Ic \([a-z_]*\) No =.*/\1/p' "$man/ringkit.conf.5" |
		sort >page
	grep -qx frame_bytes code
	grep -qx two_node code
	# Those of [acl], the links and tags have no table.
	diff <(printf '%s\n' admin read vote | sort - code) page
}

@test "ringkit-protocol.7 has the verbs that ringd answers" {
	printf 'help\nquit\n' | nc -U "$RINGKIT_RUNDIR/ring.sock" |
		sed -n 's/^item verb=\([a-z-]*\).*/\1/p' | sort >answered
	awk '/^\.S[hs] / { here = $0 == ".Sh RING.SOCK" }
	here && /^\.It Ic/ { print $3 }' "$man/ringkit-protocol.7" |
		sort >page
	grep -qx pub answered
	diff answered page
}

@test "ringkit-protocol.7 has the verbs that memberd answers" {
	printf 'help\nquit\n' | nc -U "$RINGKIT_RUNDIR/member.sock" |
		sed -n 's/^item verb=\([a-z-]*\).*/\1/p' | sort >answered
	awk '/^\.S[hs] / { here = $0 == ".Sh MEMBER.SOCK" }
	here && /^\.It Ic/ {
		print $3
		for (i = 4; $(i) == ","; i += 2)
			print $(i + 1)
	}' "$man/ringkit-protocol.7" | sort >page
	grep -qx watch answered
	diff answered page
}

@test "ringkit-protocol.7 has the verbs that quorumd answers" {
	printf 'help\nquit\n' | nc -U "$RINGKIT_RUNDIR/quorum.sock" |
		sed -n 's/^item verb=\([a-z-]*\).*/\1/p' | sort >answered
	awk '/^\.S[hs] / { here = $0 == ".Sh QUORUM.SOCK" }
	here && /^\.It Ic/ {
		print $3
		for (i = 4; $(i) == ","; i += 2)
			print $(i + 1)
	}' "$man/ringkit-protocol.7" | sort -u >page
	grep -qx cancel-wait answered
	diff answered page
}

@test "ringkit-protocol.7 has the verbs that cfgstored answers" {
	printf 'help\nquit\n' | nc -U "$RINGKIT_RUNDIR/cfg.sock" |
		sed -n 's/^item verb=\([a-z-]*\).*/\1/p' | sort >answered
	awk '/^\.S[hs] / { here = $0 == ".Sh CFG.SOCK" }
	here && /^\.It Ic/ {
		print $3
		for (i = 4; $(i) == ","; i += 2)
			print $(i + 1)
	}' "$man/ringkit-protocol.7" | sort -u >page
	grep -qx txn answered
	diff answered page
}

# The events that a program logs, one a line.
logged_by() # PROGRAM
{
	local shared=reread none=
	cd "$BATS_TEST_DIRNAME/../.." || return
	# ringd reads its file in its own way, and by SIGHUP.
	[ "$1" != ringd ] || shared=serve none=reload-ignored
	# Named where they are logged, or in a table, logged[].
	cat bin/"$1"/*.c libcommon/os/{serve,svc*,"$shared"}.c | tr -s '\n\t' '  ' | grep -oE \
		'log_(line|always|pair)\([^"]*"[a-z-]+"( : "[a-z-]+")?|const logged\[[^}]*\}' |
		grep -oE '"[a-z-]+"' | tr -d '"' | grep -vx "$none" | sort -u
}

@test "memberd.8 has the events that memberd logs" {
	(logged_by memberd) >code
	awk '/^\.Sh / { here = $0 == ".Sh DIAGNOSTICS" }
	here && /^\.It Li/ { for (i = 3; i <= NF; i++) if ($i != ",") print $i }' \
		"$man/memberd.8" | sort >page
	grep -qx ring-foreign code
	diff code page
}

@test "quorumd.8 has the events that quorumd logs" {
	(logged_by quorumd) >code
	awk '/^\.Sh / { here = $0 == ".Sh DIAGNOSTICS" }
	here && /^\.It Li/ { for (i = 3; i <= NF; i++) if ($i != ",") print $i }' \
		"$man/quorumd.8" | sort >page
	grep -qx no-quorum code
	diff code page
}

@test "cfgstored.8 has the events that cfgstored logs" {
	(logged_by cfgstored) >code
	awk '/^\.Sh / { here = $0 == ".Sh DIAGNOSTICS" }
	here && /^\.It Li/ { for (i = 3; i <= NF; i++) if ($i != ",") print $i }' \
		"$man/cfgstored.8" | sort >page
	grep -qx disk-full code
	diff code page
}

@test "ringd.8 has the events that ringd logs" {
	(logged_by ringd) >code
	awk '/^\.Sh / { here = $0 == ".Sh DIAGNOSTICS" }
	here && /^\.It Li/ { for (i = 3; i <= NF; i++) if ($i != ",") print $i }' \
		"$man/ringd.8" | sort >page
	grep -qx view-installed code
	diff code page
}

# ---- names ------------------------------------------------------------------

# msgcat.1 is installed as ringkit-msgcat.1, and called so everywhere.
installed_name() # FILE
{
	case $1 in
	msgcat.1) echo ringkit-msgcat.1 ;;
	*) echo "$1" ;;
	esac
}

@test "every page bears the name under which it is installed" {
	local page name
	for page in "$man"/*.[1-9]; do
		name=$(installed_name "${page##*/}")
		grep -qix "\.Dt ${name%.*} ${name##*.}" "$page"
		grep -A 1 '^\.Sh NAME' "$page" |
			grep -qx "\.Nm ${name%.*}"
	done
}

@test "every page that a page of ours refers to is there" {
	local page
	for page in "$man"/*.[1-9]; do
		installed_name "${page##*/}"
	done >ours
	sed -n 's/^\.Xr \(ring[a-z.-]*\|msg[a-z]*\) \([1-9]\).*/\1.\2/p' \
		"$man"/*.[1-9] | sort -u >referred
	grep -qx ringd.8 referred
	run ! grep -vxFf ours referred
}

@test "README lists every page" {
	local page
	for page in "$man"/*.[1-9]; do
		grep -q "^| .*\`${page##*/}\`.* |" "$man/../README.md"
	done
}

@test "what README names is there" {
	local name readme=$BATS_TEST_DIRNAME/../../README.md
	# Paths, with patterns in some of them.
	grep -oE '(bin|libcommon|man|completions|examples)/[]a-zA-Z0-9_./*[-]*' "$readme" |
		grep -vE 'PROGRAM|MODULE|INPUT' | sort -u >paths
	grep -qx bin/ringd/totem.h paths
	while read -r name; do
		(cd "${readme%/*}" && compgen -G "${name%/}") >/dev/null || {
			echo "README.md: $name"
			return 1
		}
	done <paths
	grep -oE '(^    |`)make [a-z]+' "$readme" | sed 's/.* //' | sort -u >targets
	grep -qx check targets
	while read -r name; do
		grep -qE "^$name:" "${readme%/*}/Makefile" || {
			echo "README.md: make $name"
			return 1
		}
	done <targets
}
