#!/usr/bin/env bats
# The rules of quorum: the production core, without a network, against
# tests/quorum/rules.py; and the scripts that it reads.

bats_require_minimum_version 1.5.0

setup()
{
	PATH=${RINGKIT_BIN:?}:$PATH
	rules=$BATS_TEST_DIRNAME/../quorum
	cd "$BATS_TEST_TMPDIR" || return
}

# The verdicts on the last line of a script, a side a line, for persons.
last_verdicts()
{
	quorumd --simulate - >all
	local line
	line=$(sed -n '$s/.* line=\([0-9]*\) .*/\1/p' all)
	sed -n "s/^verdict line=$line side=\([^ ]*\) view=[^ ]* /\1 /p" all |
		sed 's/ votes=.* basis/ basis/; s/ why=/: /; s/\\0040/ /g'
}

@test "verdicts equal those of the independent statement" {
	# A day's seed would hide what it found: the seed is the tree's.
	seed=$(git -C "$rules" rev-parse --short=7 HEAD 2>/dev/null || echo 1)
	run python3 -B "$rules/compare.py" "${RINGKIT_BUILD:?}/tests/quorum/simulate" \
		--seconds "${QUORUM_SECONDS:-15}" --seed $((16#$seed))
	echo "seed $((16#$seed))"
	echo "$output"
	[ "$status" = 0 ]
}

@test "the statement is no echo: it notices a core that is wrong" {
	cat >wrong <<-'END'
	#!/bin/sh
	"$SIMULATE" | sed 's/votes=2 needed=2/votes=2 needed=3/'
	END
	chmod +x wrong
	SIMULATE=${RINGKIT_BUILD:?}/tests/quorum/simulate \
		run python3 -B "$rules/compare.py" ./wrong --seconds 3
	[ "$status" = 1 ]
	[[ $output == *"the core and the rules differ"* ]]
}

@test "an older memory never decides a tie" {
	# The hole: 1 remembers that it was the lowest; 4 knows better.
	run last_verdicts <<-'END'
	nodes 4
	option auto_tie_breaker=yes
	start all
	{1,2,3,4}
	{1}|{2,3,4}
	{2,3}|{1,4}
	END
	[ "${lines[0]}" = '1,4 quorate=no basis=none rule=auto_tie_breaker: n2 decides a tie of n2, n3 and n4' ]
	[ "${lines[1]}" = '2,3 quorate=yes basis=tie rule=auto_tie_breaker: n2 decides a tie of n2 and n3' ]
}

@test "names, weights and an operator in a script" {
	run last_verdicts <<-'END'
	# three nodes, one of them heavy
	node alpha id=1 votes=300
	node beta  id=2 votes=300
	node gamma id=7 votes=300
	start all
	{alpha,beta,gamma}
	{alpha}|{beta,gamma}
	crash gamma
	set expected=300 at=beta force=yes
	END
	[ "${lines[0]}" = '1 quorate=no basis=none rule=majority: 300 votes here of 900 expected, 451 needed; missing: beta and gamma' ]
	[ "${lines[1]}" = '2 quorate=yes basis=forced rule=expected_votes: an operator set 300' ]
	grep -q '^answer line=9 code=ok text=' all
}

@test "whom wait_for_all waits for is said by name" {
	run last_verdicts <<-'END'
	node alpha
	node beta
	node gamma
	option wait_for_all=yes
	start alpha,beta
	{alpha,beta}
	END
	[ "${lines[0]}" = '1,2 quorate=no basis=none rule=wait_for_all: waiting for gamma' ]
}

@test "rules that contradict each other are told, all of them" {
	run quorumd --simulate - <<-'END'
	nodes 3
	option two_node=yes auto_tie_breaker=yes
	start all
	END
	[ "$status" = 64 ]
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == 'stdin:3: two_node needs exactly 2 votes' ]]
}

@test "a line that cannot be read ends the script with its number" {
	for line in 'bogus' 'start 9' '{1,2' 'wait forever' 'set expected=x' \
		'option no_such=yes' 'node'; do
		run quorumd --simulate - <<<"nodes 2"$'\n'"$line"
		[ "$status" = 64 ]
		[[ $output == stdin:2:* ]]
	done
	run quorumd --simulate ./none
	[ "$status" = 66 ]
}
