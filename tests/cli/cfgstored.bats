#!/usr/bin/env bats
# The store with real rings: first start, writes and reads everywhere, kills,
# lost disks, minorities, watches, transactions, leases, rights.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load cfgstored_nodes

setup()
{
	store_begin
}

teardown()
{
	! mountpoint -q "$DIR/state3" || umount -l "$DIR/state3"
	nodes_end
}

@test "three nodes: asked with nothing but nc" {
	store 3
	run bash -c "printf 'set key=a len=2\nhi\nget key=a\nquit\n' |
		nc -U run2/cfg.sock"
	[ "${#lines[@]}" = 5 ]
	[[ ${lines[0]} =~ ^ringkit\ proto=1\ min=1\ daemon=cfgstored\ .*node=2\ name=n2\ epoch=[0-9a-f]{8}\ .*max_data=1310720 ]]
	[ "${lines[1]}" = "ok rev=1 n=1" ]
	[ "${lines[2]}" = "ok key=a rev=1 created=1 by=2 store_rev=1 age_ms=0 len=2" ]
	[ "${lines[3]}" = hi ]
	[ "${lines[4]}" = ok ]
}

@test "what is written at one node is read at all, with sync at once" {
	local i
	store 3
	for i in 1 2 3; do
		set_key "$i" "from/$i" "value $i" | grep -x "ok rev=$i n=1"
	done
	for i in 1 2 3; do
		[ "$(value_at "$i" from/1 sync=yes)" = 'value 1' ]
		[ "$(value_at "$i" from/3)" = 'value 3' ]
		c "$i" 'list prefix=from/ keys=yes' | grep -x 'ok n=3 rev=3 more=no'
	done
}

@test "values are exact bytes, keys too" {
	store 1
	c 1 'set key=odd\\0040key len=4\n\n\0000\\n' | grep -x 'ok rev=1 n=1'
	c 1 'get key=odd\\0040key' >seen
	head -n 1 seen | grep -F 'key=odd\0040key '
	sed 1d seen | od -An -tx1 | tr -d ' \n' | grep -x '0a005c6e0a'
	c 1 'set key=empty len=0\n' 'get key=empty' | grep ' len=0$'
	c 1 'get key=none' | grep -x 'no code=absent store_rev=2 age_ms=0'
}

@test "a value may have 1 MiB, and no more" {
	store 3
	head -c 1048576 /dev/urandom >value
	{
		printf 'set key=large len=1048576\n'
		cat value
		printf '\nset key=larger len=1048577\n'
		cat value
		printf 'x\nquit\n'
	} | timeout 60 nc -U run1/cfg.sock | sed '1d;$d' >seen
	sed -n 1p seen | grep -x 'ok rev=1 n=1'
	sed -n 2p seen | grep '^err code=toolong n=65 '
	printf 'get key=large sync=yes\nquit\n' | timeout 60 nc -U run3/cfg.sock |
		tail -n +3 | head -c 1048576 | cmp - value
}

@test "compare and set: by revision, by absence, by existence, by value" {
	store 1
	set_key 1 k one if_absent=yes | grep -x 'ok rev=1 n=1'
	set_key 1 k two if_absent=yes |
		grep -x 'no code=conflict key=k rev=1 store_rev=1'
	set_key 1 k two if_rev=7 |
		grep -x 'no code=conflict key=k rev=1 store_rev=1'
	set_key 1 k two if_rev=1 | grep -x 'ok rev=2 n=1'
	set_key 1 other two if_exists=yes |
		grep -x 'no code=conflict key=other rev=0 store_rev=2'
	c 1 'set key=k if_len=3 len=8\ntwothree' | grep -x 'ok rev=3 n=1'
	c 1 'set key=k if_len=3 len=8\ntwothree' |
		grep -x 'no code=conflict key=k rev=3 store_rev=3'
	[ "$(value_at 1 k)" = three ]
	c 1 'del key=k if_rev=1' |
		grep -x 'no code=conflict key=k rev=3 store_rev=3'
	c 1 'del key=k if_rev=3' 'del key=k' >seen
	diff seen - <<-'END'
		ok rev=4 n=1
		no code=absent
	END
}

@test "a transaction is all or nothing, and tells which line failed" {
	store 3
	txn 1 <<-'END' | grep -x 'ok rev=1 n=2'
		if key=a absent=yes
		put key=a len=1
		x
		put key=b len=1
		y
	END
	txn 2 <<-'END' | grep -x 'no code=conflict at=2 key=b rev=1 store_rev=1'
		if key=a rev=1
		if key=b rev=9
		put key=c len=1
		z
		del key=a
	END
	[ "$(value_at 3 a sync=yes)" = x ]
	txn 3 <<-'END' | grep -x 'ok rev=2 n=2'
		if key=a len=1
		x
		del key=a
		put key=c len=1
		z
	END
	c 1 'list keys=yes sync=yes' | grep -c '^item key=[bc] ' | grep -x 2
	txn 1 <<<'put key=a' |
		grep -x 'err code=usage n=64 msg=line\\00401:\\0040expected\\0040len='
	txn 1 <<<$'del key=a\ndel key=a' | grep '^err code=usage n=64 '
}

@test "kill -9 of all nodes at once loses nothing that was acknowledged" {
	local i
	store 3
	for i in {1..20}; do
		set_key $((i % 3 + 1)) "k$i" "v$i" | grep -qx "ok rev=$i n=1"
	done
	all_gone
	start 1 2 3
	cfgstored_starts 1 2 3
	opens 1,2,3
	c 2 'list keys=yes' | grep -x 'ok n=20 rev=20 more=no'
	for i in 1 7 20; do
		[ "$(value_at 3 "k$i")" = "v$i" ]
	done
	set_key 1 more x | grep -x 'ok rev=21 n=1'
}

@test "after kill -9 the next one may be started at once, again and again" {
	local i
	store 1
	set_key 1 kept before
	for i in 1 2 3 4 5 6 7 8 9 10; do
		set_key 1 "k$i" "$i" | grep -x "ok rev=$((i + 1)) n=1"
		kill -KILL "${C[1]}"
		cfgstored_starts 1
		opens 1
	done
	kill -0 "${C[1]}"
	[ "$(value_at 1 kept)" = before ]
	[ "$(value_at 1 k10)" = 10 ]
	run ! grep 'in use' log.cfgstored1
}

@test "a node that was away is current again, also one with a blank disk" {
	store 3
	set_key 1 a 1 | grep -q '^ok'
	gone "${C[3]}"
	opens 1,2
	set_key 1 b 2 | grep -x 'ok rev=2 n=1'
	cfgstored_starts 3
	opens 1,2,3
	[ "$(value_at 3 b)" = 2 ]
	gone "${C[2]}"
	files_are_left 2
	rm -r state2/cfg
	opens 1,3
	set_key 1 c 3 | grep -x 'ok rev=3 n=1'
	cfgstored_starts 2
	opens 1,2,3
	grep -c 'files health=blank' log.cfgstored2 | grep -x 2
	[ "$(value_at 2 a)$(value_at 2 b)$(value_at 2 c)" = 123 ]
	# And it counts again: it and one other are a majority.
	gone "${C[1]}"
	opens 2,3
	set_key 2 d 4 | grep -x 'ok rev=4 n=1'
}

@test "a state that is too long for the window is given whole, at once" {
	local i load
	store 3
	gone "${C[2]}"
	rm -r state2/cfg
	head -c 500000 /dev/zero | tr '\0' v >value
	for i in {1..80}; do
		printf 'set key=k%s len=500000\n' $((i % 20))
		cat value
		echo
	done >requests
	echo quit >>requests
	timeout 60 nc -U run1/cfg.sock <requests | grep -c '^ok rev=' | grep -x 80
	# Others write meanwhile, so that what was asked for has to wait.
	"${RINGKIT_BUILD:?}/tests/bench/storeload" cfg put -c 8 -w 0 -t 1500 \
		run1/cfg.sock run3/cfg.sock &
	load=$!
	cfgstored_starts 2
	opens 1,2,3
	wait "$load" || : # some may have been refused
	[ "$(value_at 2 k7 | wc -c)" = 500001 ]
	run ! grep 'does not fit' log.cfgstored2
}

@test "files that are damaged count nothing until they have been fetched anew" {
	local log
	store 3
	set_key 1 a 1 | grep -q '^ok'
	gone "${C[3]}"
	files_are_left 3
	log=$(echo state3/cfg/log-*1)
	truncate -s 5000 "$log"
	cfgstored_starts 3
	opens 1,2,3
	grep 'files health=bad' log.cfgstored3
	[ "$(value_at 3 a)" = 1 ]
}

@test "a full disk refuses writes at its node only, until there is room" {
	local i
	[ "$(id -u)" = 0 ] || skip "only root can make a small disk"
	folders 3
	mount -t tmpfs -o "size=38m,uid=$NOBODY,gid=$NOBODY,mode=700" none \
		state3 || skip "this machine allows no mount"
	store 3
	head -c 500000 /dev/zero | tr '\0' v >value
	for i in {1..90}; do
		printf 'set key=k%s len=500000\n' $((i % 20))
		cat value
		echo
	done >requests
	echo quit >>requests
	timeout 60 nc -U run1/cfg.sock <requests | grep -c '^ok rev=' | grep -x 90
	stored 3 'disk_full=yes'
	c 3 'set key=a timeout=1s len=1\nx' |
		grep -E '^(err code=(full|busy)|no code=unknown) n=75'
	c 3 'get key=k5' | grep -qE '^ok key=k5 '
	set_key 1 a 1 | grep '^ok rev='
	mount -o remount,size=300m state3
	stored 3 'state=open .*disk_full=no'
	set_key 3 a 2 | grep '^ok rev='
	[ "$(value_at 1 a sync=yes)" = 2 ]
}

@test "a minority refuses writes at once, and still reads" {
	store 3
	set_key 1 a 1 | grep -q '^ok'
	gone "${C[2]}"
	gone "${C[3]}"
	stored 1 'state=closed'
	set_key 1 a 2 | grep '^err code=notquorate n=75 '
	c 1 'del key=a' sync 'get key=a sync=yes' >seen
	[ "$(grep -c '^err code=notquorate n=75 ' seen)" = 3 ]
	c 1 'get key=a' >seen
	grep -E '^ok key=a rev=1 .* store_rev=1 age_ms=[0-9]+ len=1$' seen
	[ "$(sed -n 2p seen)" = 1 ]
	cfgstored_starts 2
	opens 1,2
	[ "$(value_at 2 a sync=yes)" = 1 ]
	set_key 2 a 3 | grep -x 'ok rev=2 n=1'
}

@test "of two nodes neither goes on alone, but with tie = node the lower one" {
	store 2
	gone "${C[1]}"
	stored 2 'state=closed'
	set_key 2 a 1 | grep '^err code=notquorate'
}

@test "with tie = node the lower of two goes on alone, the higher does not" {
	store 2 'tie = node'
	set_key 2 a 1 | grep -x 'ok rev=1 n=1'
	gone "${C[2]}"
	opens 1
	stored 1 'tie=node'
	set_key 1 a 2 | grep -x 'ok rev=2 n=1'
	gone "${C[1]}"
	cfgstored_starts 2
	stored 2 'state=closed'
	cfgstored_starts 1
	opens 1,2
	[ "$(value_at 2 a sync=yes)" = 2 ]
}

@test "a first start waits for all; init begins without those that never come" {
	config 3 "${PATIENT[@]}"
	start 1 2
	cfgstored_starts 1 2
	stored 1 'state=closed .*members=1,2'
	set_key 1 a 1 | grep '^err code=notquorate'
	c 1 init | grep '^err code=usage'
	c 1 'init yes=yes' | grep -x ok
	opens 1,2
	set_key 1 a 1 | grep -x 'ok rev=1 n=1'
	start 3
	cfgstored_starts 3
	opens 1,2,3
	[ "$(value_at 3 a sync=yes)" = 1 ]
}

@test "a node that ends in good order leaves the voters, and comes back" {
	store 3
	kill -TERM "${C[3]}"
	wait "${C[3]}"
	stored 1 'state=open .*electorate=1:1,2:1 '
	grep 'left code=ok' log.cfgstored3
	cfgstored_starts 3
	stored 1 'electorate=1:1,2:1,3:1 '
}

@test "votes can be changed, but not so that nobody could go on" {
	store 3
	c 1 electorate | grep -x 'ok electorate=1:1,2:1,3:1'
	c 2 'electorate node=n1 votes=3' | grep -x ok
	stored 3 'electorate=1:3,2:1,3:1 votes=5 needed=3 '
	c 2 'electorate node=1 votes=3' | grep -x ok
	# The other two alone have no majority now, and the first one has.
	slay_store 2
	slay_store 3
	stored 1 'state=open .*members=1 '
	set_key 1 a 1 | grep -x 'ok rev=1 n=1'
	c 1 'electorate node=2 votes=9' | grep -x 'no code=refused'
	c 1 'electorate node=3 votes=4' | grep -x 'no code=refused'
	c 1 'electorate remove=1' | grep -x 'no code=refused'
	c 1 'electorate remove=3' | grep -x ok
	stored 1 'electorate=1:3,2:1 '
	c 1 'electorate shrink=yes' | grep -x ok
	stored 1 'electorate=1:3 votes=3 needed=2 '
	c 1 'electorate node=1 votes=1' | grep -x ok
	cfgstored_starts 2 3
	stored 1 'electorate=1:1,2:1,3:1 '
	c 1 'electorate node=1' | grep '^err code=usage'
	c 1 'electorate node=1 votes=0' | grep '^err code=usage'
	c 1 'electorate node=nobody votes=1' | grep '^err code=usage'
	c 1 'electorate remove=nobody' | grep '^err code=usage .*section'
	c 1 'electorate remove=2 shrink=yes' | grep '^err code=usage'
}

@test "status tells how much is used of what may be" {
	store 1
	set_key 1 a 12345 ttl=1h | grep '^ok'
	set_key 1 a 123456 ttl=1h | grep '^ok'
	stored 1 'keys=1 keys_max=[0-9]+ bytes=7 bytes_max=[0-9]+ leases=2 leases_max=[0-9]+ past=1 past_max=[0-9]+ past_bytes=6 past_bytes_max=[0-9]+ tail_bytes=0 tail_bytes_max=[0-9]+ pending=0 pending_max=[0-9]+ '
	c 1 'limits keys=1000' | grep '^ok'
	stored 1 'keys_max=1000 '
}

@test "a watch: the keys, then every change with what was there before" {
	store 3
	set_key 1 app/a 1 | grep -q '^ok'
	set_key 1 other 1 | grep -q '^ok'
	reads 3 seen prefix=app/
	appears seen '^ev 1 ready rev=2$'
	set_key 2 app/a 22 | grep -q '^ok'
	txn 1 <<-'END' | grep -q '^ok'
		put key=app/b len=1
		x
		put key=other len=1
		y
		del key=app/a
	END
	appears seen '^ev 1 del '
	sed 1,2d seen | head -n 10 >told
	diff told - <<-'END'
		ev 1 exists key=app/a rev=1 created=1 by=1 len=1
		1
		ev 1 ready rev=2
		ev 1 put key=app/a rev=3 prev=1 by=2 old_len=1 len=3
		221
		ev 1 put key=app/b rev=4 prev=0 by=1 more=yes len=1
		x
		ev 1 del key=app/a rev=4 prev=3 by=1 why=del old_len=2 len=2
		22
	END
}

@test "a watch since a revision misses nothing; of what is forgotten it tells" {
	store 3
	local i
	for i in {1..6}; do
		set_key 1 "k$i" "$i" | grep -q '^ok'
	done
	reads 2 seen since=3
	appears seen '^ev 1 ready rev=6$'
	grep -oE '^ev 1 [a-z]+ (key=k[0-9]|rev=[0-9])' seen | tr '\n' ' ' |
		grep -x 'ev 1 put key=k4 ev 1 put key=k5 ev 1 put key=k6 ev 1 ready rev=6 '
	c 2 'compact rev=5' | grep -x 'ok compacted=5'
	reads 2 later since=3
	appears later '^ev 1 ready rev=6$'
	sed -n 3p later | grep -x 'ev 1 gap compacted=5'
	grep -c '^ev 1 exists ' later | grep -x 6
	c 2 'get key=k1 rev=3' | grep -x 'no code=compacted rev=5'
	c 2 'list at=3' | grep -x 'no code=compacted rev=5'
	c 1 'get key=k1 rev=3' | grep '^ok key=k1 rev=1 '
	c 1 'get key=k6 rev=3' | grep '^no code=absent store_rev=3 '
	c 1 'list at=2 keys=yes' | grep -x 'ok n=2 rev=2 more=no'
	# Not what it is now: another may know a later one.
	c 1 'get key=k6 rev=7' | grep -x 'no code=ahead n=75 rev=6 msg=[^ ]*'
	c 1 'list at=7' | grep -x 'no code=ahead n=75 rev=6 msg=[^ ]*'
	run -75 "$RINGKIT_BIN/cfgstore" get --rundir="$PWD/run1" -R 7 k6
	[ "$output" = 'cfgstore: there is no such revision here yet' ]
}

@test "history is kept for as long as the file says" {
	store 1 'history_time = 1s'
	set_key 1 k a | grep -q '^ok'
	set_key 1 k b | grep -q '^ok'
	stored 1 'compacted=2 '
	c 1 'get key=k' | grep -x b
	c 1 'history key=k' 'get key=k rev=1' >seen
	grep -x 'no code=compacted rev=2' seen
}

@test "fence: of two halves, the one whose other half is off" {
	store 2 'tie = fence'
	memberd_starts 1 2
	c 1 'set key=mine ttl=5m len=0\n' 'set key=kept len=0\n' | grep -c '^ok' |
		grep -x 2
	c 2 'set key=theirs ttl=5m len=0\n' | grep -q '^ok'
	slay 2
	gone "${C[2]}"
	gone "${M[2]}"
	stored 1 'state=closed'
	set_key 1 a 1 | grep '^err code=notquorate n=75 '
	# Its memberd may learn of the loss later than its store.
	printf 'watch\n' >input
	inc=$(first_match '^ev 1 (exists|leave) node=2 .*=lost ' 60 \
		nc -U run1/member.sock | word inc)
	printf 'fenced node=2 inc=%s by=1\nquit\n' "$inc" |
		timeout 60 nc -U run1/member.sock | sed '1d;$d' | grep -x ok
	stored 1 'state=open .*tie=fence'
	set_key 1 a 1 | grep '^ok rev='
	# What it held goes with it, the rest stays.
	reads 1 seen
	appears seen '^ev 1 (ready|del key=theirs .*why=expired)'
	stored 1 'keys=3 '
	c 1 'list keys=yes' | grep '^item' | word key |
		diff - <(printf '%s\n' a kept mine)
}

@test "a watcher is told all of what one command deletes, however much" {
	local i
	store 1 'history_versions = 16'
	for i in {1..60}; do
		printf 'set key=k/%s len=1\nx\n' "$i"
	done >requests
	echo quit >>requests
	timeout 60 nc -U run1/cfg.sock <requests | grep -c '^ok rev=' | grep -x 60
	reads 1 seen
	appears seen '^ev 1 ready rev=60$'
	c 1 'del prefix=k/' | grep -x 'ok rev=61 n=60'
	set_key 1 last x | grep -q '^ok'
	appears seen '^ev 1 put key=last '
	grep -c '^ev 1 del key=k/.* rev=61 ' seen | grep -x 60
	grep '^ev 1 del ' seen | grep -c ' more=yes ' | grep -x 59
	run ! grep '^ev 1 gap' seen
}

@test "a watcher is told when writes are no longer taken, and when again" {
	store 3
	reads 1 seen snapshot=no
	appears seen '^ev 1 ready rev=0$'
	gone "${C[2]}"
	gone "${C[3]}"
	appears seen '^ev 1 away why='
	cfgstored_starts 2
	appears seen '^ev 1 here rev=0$'
}

@test "a slow watcher of large values loses nothing" {
	local i
	store 1 'history_bytes = 64MiB'
	head -c 600000 /dev/zero | tr '\0' v >value
	mkfifo in go
	exec {fd}<>in {go}<>go
	printf 'watch\n' >&"$fd"
	# Reads nothing until all has been written.
	background sh -c 'nc -U run1/cfg.sock <in | { read -r line
		read -r line <go; cat; } >seen'
	for i in {1..40}; do
		{
			printf 'set key=k%s len=600000\n' $((i % 7))
			cat value
			printf '\nquit\n'
		} | nc -U run1/cfg.sock | grep -qx "ok rev=$i n=1"
	done
	echo >&"$go"
	appears seen '^ev 1 put key=k5 rev=40 '
	grep -a -oE '^ev 1 put key=k[0-9] rev=[0-9]+' seen | word rev |
		diff - <(seq 40)
	exec {fd}>&- {go}>&-
}

@test "history: newest first, deletions too" {
	store 1
	set_key 1 k a | grep -q '^ok'
	set_key 1 k b | grep -q '^ok'
	c 1 'del key=k' | grep -q '^ok'
	set_key 1 k c | grep -q '^ok'
	c 1 'history key=k' >seen
	diff seen - <<-'END'
		item rev=4 by=1 deleted=no len=1
		c
		item rev=3 by=1 deleted=yes len=0

		item rev=2 by=1 deleted=no len=1
		b
		item rev=1 by=1 deleted=no len=1
		a
		ok n=4 more=no compacted=0
	END
	c 1 'history key=k n=1 before=3' | grep -x 'ok n=1 more=yes compacted=0'
}

@test "a key dies with its lease, unless that is renewed" {
	store 3
	c 2 'lease ttl=5m' | grep -x 'ok lease=1 ttl_ms=300000'
	c 3 'set key=long lease=1 len=0\n' | grep -x 'ok rev=2 n=1 lease=1'
	reads 2 seen prefix=short
	appears seen '^ev 1 ready '
	c 1 'set key=short ttl=1s len=0\n' | grep -x 'ok rev=3 n=1 lease=3'
	appears seen '^ev 1 del key=short rev=[0-9]* prev=3 by=[0-9]* why=expired '
	c 3 'get key=long sync=yes' | grep '^ok key=long .* lease=1 '
	c 1 leases | grep -E '^item lease=1 ttl_ms=300000 left_ms=[0-9]+ by=2 renewals=0 keys=1$'
	c 1 'renew lease=1' | grep -x 'ok renewals=1 ttl_ms=300000'
	c 1 'renew lease=3' | grep -x 'no code=nolease'
	c 1 'set key=x lease=3 len=0\n' | grep -x 'no code=nolease'
	c 1 'release lease=1' | grep -E '^ok n=1 rev=[0-9]+$'
	c 1 'get key=long' | grep '^no code=absent'
}

@test "a request with a client and a number is done once, wherever it is asked" {
	store 3
	set_key 1 k 0 | grep -x 'ok rev=1 n=1'
	c 1 'lease ttl=1h' | grep -x 'ok lease=2 ttl_ms=3600000'
	set_key 1 k 1 client=2 seq=1 if_rev=1 | grep -x 'ok rev=3 n=1'
	# Its condition holds no longer, and another value would not be it.
	set_key 1 k 1 client=2 seq=1 if_rev=1 | grep -x 'ok rev=3 n=1'
	set_key 2 k other client=2 seq=1 | grep -x 'ok rev=3 n=1'
	set_key 3 k 2 client=2 seq=2 | grep -x 'ok rev=4 n=1'
	set_key 1 k 1 client=2 seq=1 | grep '^err code=usage'
	slay_store 3
	opens 1,2
	set_key 1 k 2 client=2 seq=2 | grep -x 'ok rev=4 n=1'
	cfgstored_starts 3
	opens 1,2,3
	set_key 3 k 2 client=2 seq=2 | grep -x 'ok rev=4 n=1'
	[ "$(value_at 3 k sync=yes)" = 2 ]

	c 1 'del key=none client=2 seq=3' | grep -x 'no code=absent'
	c 2 'del key=none client=2 seq=3' | grep -x 'no code=absent'
	c 2 'del key=k client=2 seq=4' 'del key=k client=2 seq=4' |
		grep -cx 'ok rev=6 n=1' | grep -x 2
	c 2 'lease ttl=1h client=2 seq=5' 'lease ttl=1h client=2 seq=5' |
		grep -cx 'ok lease=7 ttl_ms=3600000' | grep -x 2
	# What is not done is not remembered.
	set_key 1 k 1 client=2 seq=6 if_exists=yes |
		grep -x 'no code=conflict key=k rev=0 store_rev=7'
	set_key 1 k 1 client=2 seq=6 if_absent=yes | grep -x 'ok rev=8 n=1'

	c 1 'renew lease=2' | grep '^ok renewals=1 '
	c 1 'release lease=2' | grep -x 'ok n=1 rev=9'
	set_key 1 k 1 client=2 seq=6 if_absent=yes |
		grep -x 'no code=nolease'
	[ "$(value_at 3 k sync=yes)" = 1 ]
	c 1 'list prefix=ringkit/' | grep -x 'ok n=0 rev=9 more=no'
}

@test "a transaction is done once, too; who is not its user may not" {
	local body='if key=a absent=yes
put key=a len=1
x
put key=b len=1
y
'
	one() # AS...: the transaction, from standard input to standard output
	{
		{
			printf 'txn client=1 seq=1 len=%d\n%s\nquit\n' "${#body}" "$body"
		} | timeout 20 "$@" nc -U run1/cfg.sock | sed '1d;$d'
	}
	store 1
	c 1 'lease ttl=1h' | grep '^ok lease=1 '
	one env | grep -x 'ok rev=2 n=2'
	one env | grep -x 'ok rev=2 n=2'
	# The place of a condition is that of the client's own.
	c 1 'set key=a client=1 seq=0 len=0\n' | grep '^err code=usage'
	c 1 'set key=a client=1 len=0\n' | grep '^err code=usage'
	c 1 'del prefix=a client=1 seq=2' | grep '^err code=usage'
	c 1 'renew lease=1 client=1 seq=2' | grep '^err code=usage'
	body="${body/absent=yes/exists=yes}"
	body="if key=b exists=yes
if key=c exists=yes
put key=c len=0

"
	printf 'txn client=1 seq=2 len=%d\n%s\nquit\n' "${#body}" "$body" |
		timeout 20 nc -U run1/cfg.sock |
		grep -x 'no code=conflict at=2 key=c rev=0 store_rev=2'
	[ ${#AS_NOBODY[@]} -gt 0 ] || return 0
	chmod 777 run1/cfg.sock
	one "${AS_NOBODY[@]}" | grep '^err code=denied'
}

@test "limits are told, and what is beyond them is refused" {
	store 1 'keys_max = 16' 'value_max = 64' 'bytes_max = 1MiB' \
		'leases_max = 1'
	local i
	for i in {1..16}; do
		set_key 1 "k$i" x | grep -q '^ok'
	done
	told() { printf '%b\n' "$(cat)" | grep -xF "$1"; } # the answer's words
	set_key 1 k17 x | told 'err code=full n=75 msg=nothing changed: 17 keys, over the limit of 16 that [store] keys_max sets'
	set_key 1 k1 y | grep -q '^ok'
	set_key 1 k1 "$(printf '%065d' 0)" | told 'err code=toolong n=65 msg=65 bytes of a value, over the limit of 64 that [store] value_max sets'
	c 1 'lease ttl=1m' | grep -q '^ok'
	c 1 'lease ttl=1m' | told 'err code=full n=75 msg=nothing changed: 2 leases, over the limit of 1 that [store] leases_max sets'
	c 1 limits | grep -x 'ok keys=16 bytes=1048576 value=64 leases=1'
	c 1 'limits keys=17' | told 'err code=usage n=64 msg=17 keys, over the limit of 16 that [store] keys_max sets'
	c 1 'limits value=8' | grep '^ok rev='
	set_key 1 k1 123456789 | told 'err code=toolong n=65 msg=9 bytes of a value, over the limit of 8 that cfgstore limits value= set'
	c 1 'limits keys=15' | grep -x 'no code=room'
}

@test "[acl]: who may read and change which keys" {
	[ ${#AS_NOBODY[@]} -gt 0 ] || skip "needs root to be somebody else"
	# shellcheck disable=SC2317 # called below
	as() # UID REQUEST...
	{
		local uid=$1
		shift
		printf '%b\n' "$@" quit | timeout 60 setpriv "--reuid=$uid" \
			--regid=4009 --clear-groups -- nc -U run1/cfg.sock |
			sed '1d;$d'
	}
	store 1 '[acl]' 'cfg-write app/** = user:4001' \
		'cfg-write other/** = user:4004' \
		'cfg-read app/** = user:4001,user:4002'
	chmod 777 run1/cfg.sock
	as 4001 'set key=app/a len=1\nx' | grep -x 'ok rev=1 n=1'
	as 4001 'set key=b len=1\nx' | grep '^err code=denied n=77 '
	as 4002 'set key=app/a len=1\ny' | grep '^err code=denied n=77 '
	as 4002 'get key=app/a' | grep '^ok key=app/a '
	as 4003 'get key=app/a' | grep '^err code=denied n=77 '
	set_key 1 b secret | grep -q '^ok'
	as 4002 'list keys=yes' | grep -x 'ok n=1 rev=2 more=no'
	as 4001 'del prefix=app/' | grep -x 'ok rev=3 n=1'
	as 4001 'del prefix=a' | grep '^err code=denied n=77 '
	as 4002 'lease ttl=1m' | grep '^err code=denied n=77 '
	as 4001 'init yes=yes' | grep '^err code=denied n=77 '
	# A key at a lease is a part of it.
	local lease
	lease=$(c 1 'lease ttl=1h' | word lease)
	set_key 1 b secret "lease=$lease" | grep -q '^ok'
	as 4001 "renew lease=$lease" | grep '^err code=denied n=77 '
	as 4001 "set key=app/a lease=$lease len=1\\nx" |
		grep '^err code=denied n=77 '
	as 4001 "set key=app/a client=$lease seq=1 len=1\\nx" |
		grep '^err code=denied n=77 '
	lease=$(as 4001 'set key=app/a ttl=1h len=1\nx' | word lease)
	as 4001 "set key=app/b lease=$lease len=1\\nx" | grep '^ok'
	as 4001 "set key=app/c client=$lease seq=1 len=1\\nx" | grep '^ok'
	as 4001 "renew lease=$lease" | grep '^ok'
	# One without a key is of the user that it was granted to.
	lease=$(as 4001 'lease ttl=1h' | word lease)
	as 4004 "renew lease=$lease" | grep '^err code=denied n=77 '
	as 4004 "release lease=$lease" | grep '^err code=denied n=77 '
	as 4004 "set key=other/a lease=$lease len=1\\nx" |
		grep '^err code=denied n=77 '
	as 4001 "renew lease=$lease" | grep '^ok renewals=1 '
	c 1 "renew lease=$lease" | grep '^ok renewals=2 '
	as 4001 "set key=app/d lease=$lease len=1\\nx" | grep '^ok'
	as 4004 "release lease=$lease" | grep '^err code=denied n=77 '
	as 4001 "release lease=$lease" | grep '^ok n=1 '
	as 4001 "renew lease=$lease" | grep -x 'no code=nolease'
	lease=$(as 4004 'set key=other/b ttl=1h len=1\nx' 'del key=other/b' |
		word lease)
	as 4001 "renew lease=$lease" | grep '^err code=denied n=77 '
	as 4004 "renew lease=$lease" | grep '^ok renewals=1 '
	# Nor is one asked for before it is there.
	as 4004 "set key=other/a lease=$((lease + 9)) len=1\\nx" \
		'get key=other/a' | grep -cE '^(no code=nolease|err code=denied.*)$' | grep -x 2
}

@test "a stopped node does not hold up the others, and is current afterwards" {
	store 3
	kill -STOP "${C[3]}"
	set_key 1 a 1 | grep -x 'ok rev=1 n=1'
	set_key 2 b 2 | grep -x 'ok rev=2 n=1'
	kill -CONT "${C[3]}"
	[ "$(value_at 3 b sync=yes)" = 2 ]
}

@test "what cannot be known in time is said to be so" {
	local epoch
	store 3
	epoch=$(c 1 status | word epoch)
	[ "$epoch" ]
	kill -STOP "${C[2]}" "${C[3]}"
	c 1 'set key=a timeout=300ms len=1\nx' | grep -x 'no code=unknown n=75'
	c 1 'get key=a sync=yes timeout=300ms' |
		grep -E '^(err code=busy|no code=unknown) n=75'
	c 1 'get key=a timeout=soon sync=yes' | grep '^err code=usage n=64 '
	kill -CONT "${C[2]}" "${C[3]}"
	# The first is in the log, and done when one behind it is; but not if
	# another epoch began before it was in its place.
	set_key 1 b 1 timeout=60s || :
	[ "$(value_at 1 a sync=yes timeout=60s)" = x ] ||
		[ "$(c 1 status | word epoch)" != "$epoch" ]
}

@test "quorumd can forbid writes, and no more" {
	config 3 "${PATIENT[@]}" '[quorum]' 'wait_for_all = always' \
		'lease = 60s' 'settle = 60s'
	start 1 2 3
	cfgstored_starts 1 2 3
	opens 1,2,3
	memberd_starts 1 2
	quorumd_starts 1 2
	stored 1 'permitted=no'
	set_key 1 a 1 | grep '^err code=notquorate n=75 '
	memberd_starts 3
	quorumd_starts 3
	stored 1 'state=open .*permitted=yes'
	set_key 1 a 1 | grep -x 'ok rev=1 n=1'
}

@test "writes with tags are many at once, and in their order" {
	local i
	store 3
	for i in {1..200}; do
		printf '#w%s set key=k len=%s\n%s\n' "$i" "${#i}" "$i"
	done >requests
	{
		cat requests
		printf 'quit\n'
	} | timeout 60 nc -U run2/cfg.sock | sed '1d;$d' >seen
	for i in {1..200}; do
		echo "#w$i ok rev=$i n=1"
	done | diff - seen
	[ "$(value_at 1 k sync=yes)" = 200 ]
}

@test "USR1 logs the state, HUP is ignored" {
	store 1
	kill -USR1 "${C[1]}"
	appears log.cfgstored1 '^status state=open .*electorate=1:1 '
	kill -HUP "${C[1]}"
	appears log.cfgstored1 '^reload-ignored '
}

@test "it does not start with a bad configuration" {
	config 1 '[store]' 'tie = lowest'
	run "$BIN/cfgstored" --check -c ringkit.conf
	[ "$status" = 78 ]
	[[ $output == *"tie = lowest: expected none or node or fence"* ]]
	config 1 '[ring]' 'message_bytes_max = 64KiB'
	run "$BIN/cfgstored" --check -c ringkit.conf
	[ "$status" = 78 ]
	[[ $output == *"message_bytes_max: cfgstored expected at least 98304"* ]]
	run "$BIN/cfgstored" --nonsense
	[ "$status" = 64 ]
	config 1
	mkdir run1
	: >state1
	run "$BIN/cfgstored" -c ringkit.conf --rundir=run1 --statedir=state1 --node=n1
	[ "$status" = 73 ]
}

@test "ringd may be killed and started again below it" {
	local i
	store 3
	set_key 1 a 1 | grep -q '^ok'
	# What it does later is not taken for one of these.
	for i in {2..21}; do
		set_key 2 many "$i" | grep -x "ok rev=$i n=1"
	done
	slay 2
	stored 2 'state=away'
	set_key 2 a 2 | grep '^err code=notquorate n=75 '
	[ "$(value_at 2 a)" = 1 ]
	opens 1,3
	set_key 1 a 2 | grep -x 'ok rev=22 n=1'
	start 2
	opens 1,2,3
	[ "$(value_at 2 a sync=yes)" = 2 ]
	set_key 2 a 3 | grep -x 'ok rev=23 n=1'
	# All at once, too.
	slay 1
	slay 2
	slay 3
	for i in 1 2 3; do
		stored "$i" 'state=away'
	done
	start 1 2 3
	opens 1,2,3
	[ "$(value_at 3 a sync=yes)" = 3 ]
	set_key 3 a 4 | grep -x 'ok rev=24 n=1'
}

@test "who waits when ringd is started again below it gets an answer" {
	local fd i
	store 3
	mkfifo asks
	exec {fd}<>asks
	background nc -U run1/cfg.sock <&"$fd" >told
	# Sent, and nobody else says that it has it; or not even sent.
	kill -STOP "${C[2]}" "${C[3]}"
	for i in {1..20}; do
		printf '#w%s set key=k len=1\nx\n' "$i" >&"$fd"
	done
	stored 1 ' pending=20 ' >/dev/null
	slay 1
	stored 1 'state=away' >/dev/null
	start 1
	for i in {1..20}; do
		appears told "^#w$i (no code=unknown|err code=notquorate) n=75"
	done
	grep -q ' no code=unknown ' told
	kill -CONT "${C[2]}" "${C[3]}"
	opens 1,2,3
	# Nothing of it holds up what comes behind.
	printf 'set key=k len=1\ny\n' >&"$fd"
	exec {fd}>&-
	appears told '^ok rev=[0-9]+ n=1$'
}

@test "who does not read his lists holds little, and nobody up" {
	store 1
	local i
	head -c 900000 /dev/zero | tr '\0' v >value
	{
		printf 'set key=large len=900000\n'
		cat value
		printf '\nquit\n'
	} | timeout 60 nc -U run1/cfg.sock | grep -qx 'ok rev=1 n=1'
	mkfifo in go
	exec {fd}<>in {go}<>go
	# shellcheck disable=SC2016 # for that shell
	background sh -c 'nc -U run1/cfg.sock <in | { read -r line
		read -r line <go; cat; } | grep --line-buffered -a "^#" >seen'
	for i in {1..100}; do
		echo "#t$i list"
	done >&"$fd"
	# Some of it is in sockets and pipes, the rest waits unasked.
	local end=$((SECONDS + 60))
	until c 1 stats | grep -E 'name=queued_bytes value=[0-9]{6}'; do
		[ $SECONDS -lt $end ]
		sleep 0.05 # no event: it is asked, not told
	done
	c 1 stats | grep -E 'name=queued_bytes value=[0-9]{1,7}$'
	set_key 1 k v | grep -x 'ok rev=2 n=1'
	c 1 stats | grep 'name=closed_slow value=0$'
	echo >&"$go"
	appears seen '^#t100 ok n=2 rev=2 more=no'
	[ "$(grep -c 'item key=large' seen)" = 100 ]
	exec {fd}>&- {go}>&-
}

# What a watcher has been told, as "KEY VALUE" lines.
rebuilt() # FILE
{
	awk '/^ev 1 (exists|put|del) / {
		match($0, /key=[^ ]*/)
		key = substr($0, RSTART + 4, RLENGTH - 4)
		kind = $3
		len = /old_len=/ ? 0 : -1
		if (match($0, /old_len=[0-9]*/))
			len = substr($0, RSTART + 8, RLENGTH - 8)
		getline value
		if (len > 0)
			value = substr(value, 1, length(value) - len)
		if (kind == "del")
			delete now[key]
		else
			now[key] = value
	}
	END { for (key in now) print key, now[key] }' "$1" | sort
}

# writer NODE: changes keys, some of them often.
writer()
{
	local i
	for i in {1..60}; do
		case $((RANDOM % 4)) in
		0) echo "del key=w/$((RANDOM % 12))" ;;
		1) printf 'set key=w/%s ttl=1h len=3\n%s%s\n' \
			$((RANDOM % 12)) "$1" $((10 + RANDOM % 90)) ;;
		*) printf 'set key=w/%s len=5\n%s%s\n' \
			$((RANDOM % 12)) "$1" $((1000 + RANDOM % 9000)) ;;
		esac
	done | cat - <(echo quit) | timeout 60 nc -U "run$1/cfg.sock" >"wrote$1"
}

@test "watchers at every node come to the state there is, told of each change" {
	local i pids=()
	store 3
	reads 1 seen1
	for i in 1 2 3; do
		writer "$i" &
		pids+=($!)
	done
	reads 2 seen2 prefix=w/
	for i in "${pids[@]}"; do
		wait "$i"
	done
	set_key 3 last x | grep -q '^ok'
	reads 3 seen3
	appears seen3 '^ev 1 ready'
	set_key 3 w/last x | grep -q '^ok'
	for i in 1 2 3; do
		appears "seen$i" '^ev 1 put key=w/last ' >/dev/null
	done
	rebuilt seen1 >now1
	grep -v '^last ' now1 | diff - <(rebuilt seen2)
	diff now1 <(rebuilt seen3)
	c 2 'list sync=yes' | awk '/^item/ { match($0, /key=[^ ]*/)
		key = substr($0, RSTART + 4, RLENGTH - 4)
		getline; print key, $0 }' | sort | diff now1 -
	# Every revision once, none left out: writes alone make them here.
	grep -oE '^ev 1 (put|del) .* rev=[0-9]+' seen1 | word rev |
		awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 }'
}
