#!/usr/bin/env bats
# The examples: what they call, in which order, and what they never call, also
# when they are killed before any of their commands.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC1003,SC2016,SC2034,SC2154 # for other shells; bats' own names
load helpers
load quorumfake
load examples

setup_file() { patient_nodes 1 --only=ringd; }
teardown_file() { stop_nodes; }

setup() { examples_begin; }
teardown() { fake_stop; }

# ---- the parser -------------------------------------------------------------

each_shell() # COMMAND...: with $shell
{
	local found=0
	for shell in dash bash mksh 'busybox sh'; do
		command -v "${shell%% *}" >/dev/null || continue
		found=$((found + 1))
		"$@" || {
			echo "in $shell"
			return 1
		}
	done
	[ $found -ge 2 ]
}

# What a shell makes of the records in the file, their values of data.
parses()
{
	# shellcheck disable=SC2086 # busybox sh
	$shell -eu -c '. "$RINGKIT_SH"
		while IFS= read -r line; do
			rk_parse "$line"
			[ "$RK_EVENT" = msg ]
			printf "%s|" "$RK_data"
		done' <records >parsed
	cmp wanted parsed
}

@test "what the ring delivers round-trips in every shell, whatever it is" {
	local value bytes values=('a b' '$(touch owned)' '`touch owned`' "'" '"' \
		'"; touch owned; "' $'line\nfeed' $'ends\n\n' '*' '/*' '?[a-z]' \
		'a=b=c' -n '-e \n' '--' '\' '\\n' '\0101' '\c' '%s%n' $'\t' $'\r' \
		'~' '$HOME' '' ' ' '!!' $'\xff\xfe' $'\xc3' 'zażółć' '#' ';' '&' \
		'a\' $'\x01\x7f' 'RK_EVENT=x' 'x  y')
	bytes=$(for i in {1..255}; do printf '\\x%02x' "$i"; done)
	# shellcheck disable=SC2059 # that is the format
	values+=("$(printf "$bytes.")")
	printf '%s|' "${values[@]}" >wanted
	listen records -l -n ${#values[@]} -t 60s hostile
	printf '%s\0' "${values[@]}" | msgsend -0 hostile
	heard
	each_shell parses
	[ ! -e owned ]
}

in_shell() # SCRIPT
{
	# shellcheck disable=SC2086 # busybox sh
	$shell -eu -c ". \"\$RINGKIT_SH\"; $1"
}

@test "an empty value is not none, and the record before is forgotten" {
	each_shell in_shell '
		rk_parse "leave node=2 name= reason=lost"
		[ "${RK_name+there}" = there ] && [ -z "$RK_name" ]
		[ "${RK_inc+there}" = "" ]
		rk_parse "join node=3"
		[ "${RK_name+there}${RK_reason+there}" = "" ]
		[ "$RK_node" = 3 ]
		rk_parse ""
		[ -z "$RK_EVENT" ] && [ "${RK_node+there}" = "" ]'
}

@test "lines that are no records do no harm" {
	each_shell in_shell '
		set -- keep these
		rk_parse "x A=1 1=2 _k=3 a-b=4 a;touch\${IFS}owned=5 =6 ok=7 IFS=8"
		[ "$RK_ok" = 7 ] && [ "$RK_EVENT" = x ]
		rk_parse "x \$(touch owned)=1 keys=2 PATH=/ event=e ok=\c"
		[ "$RK_event" = e ] && [ "$RK_EVENT" = x ]
		rk_parse "   x   a=1    b=2   "
		[ "$RK_EVENT:$RK_a:$RK_b" = x:1:2 ]
		rk_parse "x v=* w=?"
		[ "$RK_v$RK_w" = "*?" ]
		[ "$*" = "keep these" ]
		case $- in *f*) exit 1 ;; esac'
	[ ! -e owned ]
}

@test "the caller's words and blanks stay his" {
	each_shell in_shell '
		IFS=:; set -f
		rk_parse "x a=1:2 b=3"
		[ "$RK_a" = 1:2 ] && [ "$IFS" = : ]
		case $- in *f*) ;; *) exit 1 ;; esac
		rk_list a && rk_next
		[ "$RK_ITEM" = 1:2 ]
		IFS=2
		rk_parse "x a=121 b=2"
		[ "$RK_a,$RK_b" = 121,2 ]
		rk_parse "y c=1"
		[ "${RK_a+there}" = "" ]'
}

@test "lists are taken apart, their items may hold commas" {
	each_shell in_shell '
		rk_parse "exists members=1,2,3 none= tags=rack:a\0054b\0040c,zone:x\0072y"
		rk_list members
		n=
		while rk_next; do n="$n<$RK_ITEM>"; done
		[ "$n" = "<1><2><3>" ]
		rk_list none
		if rk_next; then exit 1; fi
		if rk_list absent; then exit 1; fi
		rk_list tags
		rk_next
		[ "$RK_ITEM" = "rack:a,b c" ]
		rk_unescape "${RK_RAW#*:}"
		[ "$RK_VALUE" = "a,b c" ]
		rk_next
		[ "${RK_RAW%%:*}" = zone ]
		rk_unescape "${RK_RAW#*:}"
		[ "$RK_VALUE" = x:y ]
		if rk_next; then exit 1; fi'
}

# ---- demoting ---------------------------------------------------------------

# A device that remembers whether it is primary, and whether it is in use.
stub_drbd()
{
	echo primary >role
	echo busy >use
	stub systemctl '[ "$1 $2" != "stop app@r0.service" ] || echo free >use'
	stub drbdadm 'case "$1 $2" in
"secondary r0") grep -q free use && echo secondary >role ;;
"secondary --force") [ -z "${STUCK-}" ] && echo secondary >role ;;
*) exit 20 ;;
esac'
	stub reset
}

@test "demoting stops the service first, then the device, nothing else" {
	stub_drbd
	"$examples/drbd-demote.sh" r0
	called 'systemctl stop app@r0.service
drbdadm secondary r0'
	[ "$(cat role)" = secondary ]
	# Once more is no harm.
	"$examples/drbd-demote.sh" r0
	[ "$(cat role)" = secondary ]
}

@test "a device that stays open is taken away, or the node is reset" {
	stub_drbd
	stub systemctl # does not help
	DRBD_DEMOTE_RESET=reset "$examples/drbd-demote.sh" r0
	called 'systemctl stop app@r0.service
drbdadm secondary r0
drbdadm secondary --force r0'
	[ "$(cat role)" = secondary ]
	stub_drbd
	stub systemctl
	: >calls
	STUCK=yes DRBD_DEMOTE_RESET=reset run -70 "$examples/drbd-demote.sh" r0
	[ "$(tail -n 1 calls)" = 'reset ' ]
	STUCK=yes run -70 "$examples/drbd-demote.sh" r0
	run -64 "$examples/drbd-demote.sh"
}

@test "one resource that stays does not keep the next from being demoted" {
	stub_drbd
	STUCK=yes run -70 "$examples/drbd-demote.sh" r1 r0
	grep -q '^drbdadm secondary r0$' calls
	[ "$(cat role)" = secondary ]
}

@test "demoting that was killed anywhere is made good by the next run" {
	local n=1
	while
		stub_drbd
		: >calls
		killed_at $n "$examples/drbd-demote.sh" r0
	do
		# The device is never taken from a service that runs.
		if grep -q drbdadm calls; then
			[ "$(head -n 1 calls)" = 'systemctl stop app@r0.service' ]
		fi
		"$examples/drbd-demote.sh" r0
		[ "$(cat role)" = secondary ]
		run ! grep -q primary calls
		n=$((n + 1))
	done
	[ $n -gt 6 ]
	[ "$(cat role)" = secondary ]
}

@test "demoting does not end by a signal half way" {
	stub_drbd
	stub systemctl 'kill -TERM $PPID; kill -HUP $PPID; kill -INT $PPID
echo free >use'
	"$examples/drbd-demote.sh" r0
	[ "$(cat role)" = secondary ]
}

@test "no example promotes anything, but below a lock" {
	local file stubbed
	for stubbed in drbdadm pg_ctl systemctl psql runuser; do
		stub "$stubbed"
	done
	# Each of them refuses to run elsewhere, before it calls anything.
	for file in "$examples"/*.sh; do
		grep -qE 'drbdadm +primary|promote( |$)' "$file" || continue
		grep -q RINGKIT_LOCK_TOKEN "$file"
		run -64 env -u RINGKIT_LOCK_TOKEN "$file" r0
	done
	called ''
	run ! grep -rE 'drbdadm +primary|promote( |$)' "$examples/systemd" \
		"$examples/ringkit.cron"
}

# ---- fencing the peer -------------------------------------------------------

fence_peer()
{
	DRBD_PEER_NODE_ID=${ID-1} DRBD_NODE_ID_1=${PEER-beta} \
		DRBD_NODE_ID_0=alpha RINGKIT_FENCE_TIMEOUT=${LIMIT-0.4s} \
		"$examples/drbd-fence-peer.sh"
}

# beta is in that state; there is a quorum, or not.
world() # STATE [yes|no|unknown] [INC]
{
	local members=1,3
	[ "$1" != member ] || members=1,2,3
	fake nobody
	fake node "node=1 name=alpha addr=10.0.0.1 state=member inc=17 local=yes"
	fake node "node=2 name=beta addr=10.0.0.2 state=$1 inc=${3-4} local=no"
	fake node "node=3 name=gamma addr=10.0.0.3 state=member inc=9 local=no"
	fake ready "view=1.8 members=$members coordinator=1 quorate=${2-yes}"
	fake answer "ok quorate=${2-yes} votes=2 needed=2 expected=3 view=1.8\
 members=$members self=1 name=alpha coordinator=1 settled=no age_ms=3"
}

# A command that fences, and a ringkit that puts it on record at the daemon.
stub_fence()
{
	stub off "${1-}"
	stub ringkit 'printf "ev fenced node=2 inc=4 by=1 method=x\n" >&8
read -r confirmed <&9
for line in "nobody" "node node=1 name=alpha state=member inc=17 local=yes" \
	"node node=2 name=beta state=fenced inc=4 local=no"; do
	printf "%s\n" "$line" >&8
	read -r confirmed <&9
done'
	export RINGKIT_FENCE=off
}

@test "7 when the peer's stop is on record, without asking for it again" {
	fake_start
	stub_fence
	world fenced
	LIMIT=60s run -7 fence_peer
	called ''
}

@test "without a quorum, unknown, or without a daemon the device stays frozen" {
	fake_start
	stub_fence
	world fenced no
	# At once: the minority has nothing to wait for.
	SECONDS=0
	LIMIT=30s run -1 fence_peer
	[ $SECONDS -lt 25 ]
	world fenced unknown
	run -1 fence_peer
	world lost no
	run -1 fence_peer
	fake mute
	RINGKIT_TIMEOUT=300ms run -1 fence_peer
	fake_stop
	run -1 fence_peer
	called ''
}

@test "a peer that is still a member is not shot" {
	fake_start
	stub_fence
	world member
	run -1 fence_peer
	called ''
}

@test "a lost peer is shot, put on record, and only then given up" {
	fake_start
	stub_fence
	world lost
	LIMIT=60s run -7 fence_peer
	called 'off beta
ringkit fence-confirm --method=fence-peer beta'
}

@test "a shot that failed or came too late is not put on record" {
	fake_start
	stub_fence 'exit 1'
	world lost
	LIMIT=60s run -1 fence_peer
	called 'off beta'
	: >calls
	stub_fence 'exec tail -f /dev/null'
	LIMIT=2s run -1 fence_peer
	called 'off beta'
}

@test "a record of an earlier life, or none, is no reason" {
	fake_start
	stub_fence
	# What is put on record is not of the life that was lost.
	world lost yes 5
	stub ringkit 'printf "ev fenced node=2 inc=4 by=1\n" >&8
read -r confirmed <&9'
	run -1 fence_peer
	stub ringkit 'exit 1'
	run -1 fence_peer
	unset RINGKIT_FENCE
	run -1 fence_peer
}

@test "a person may put it on record while the handler waits" {
	fake_start
	world lost
	unset RINGKIT_FENCE
	LIMIT=60s fence_peer 3>&- 8>&- 9<&- &
	local handler=$! code=0
	while kill -0 $handler 2>/dev/null; do
		fake ev "fenced node=2 inc=4 by=3 method=manual"
		sleep 0.05 # no event: it waits at its third question only
	done
	wait $handler || code=$?
	[ $code = 7 ]
}

@test "names and ids that are none are refused" {
	fake_start
	stub_fence
	world fenced
	ID='' run ! fence_peer
	ID='x;touch owned' run -1 fence_peer
	ID=7 run -1 fence_peer
	PEER='' run -1 fence_peer
	PEER='-h' run -1 fence_peer
	PEER='$(touch owned)' run -1 fence_peer
	PEER='beta beta' run -1 fence_peer
	PEER='delta' run -1 fence_peer
	[ ! -e owned ]
	called ''
}

@test "a handler that was killed anywhere did not say 7, nor skip a step" {
	local n=1
	fake_start
	stub_fence
	while
		world lost
		: >calls
		DRBD_PEER_NODE_ID=1 DRBD_NODE_ID_1=beta \
			RINGKIT_FENCE_TIMEOUT=60s \
			killed_at $n "$examples/drbd-fence-peer.sh"
	do
		# On record only after the shot.
		if grep -q ringkit calls; then
			[ "$(head -n 1 calls)" = 'off beta' ]
		fi
		# Whoever comes next ends it well.
		LIMIT=60s run -7 fence_peer
		n=$((n + 1))
	done
	[ $n -gt 8 ]
}

# ---- regenerating -----------------------------------------------------------

regenerate_begin()
{
	fake_start
	stub reload 'cat file.cfg >reloaded'
	stub check 'grep -q "^backend" "$1"'
	export HAPROXY_CHECK=check HAPROXY_RELOAD=reload
}

two='backend ringkit
	balance roundrobin
	server alpha 10.0.0.1:8080 check
	server gamma 10.0.0.3:8080 check'
three='backend ringkit
	balance roundrobin
	server alpha 10.0.0.1:8080 check
	server beta 10.0.0.2:8080 check
	server gamma 10.0.0.3:8080 check'

@test "the proxy gets the members, is told once, and of changes" {
	regenerate_begin
	"$examples/regenerate-haproxy.sh" file.cfg
	[ "$(cat file.cfg)" = "$three" ]
	called 'check file.cfg.new
reload '
	"$examples/regenerate-haproxy.sh" file.cfg
	called 'check file.cfg.new
reload '
	world lost
	ln file.cfg stubs/old
	"$examples/regenerate-haproxy.sh" file.cfg
	[ "$(cat file.cfg)" = "$two" ]
	# Who had it open goes on reading a whole one.
	[ "$(cat stubs/old)" = "$three" ]
	[ "$(cat reloaded)" = "$two" ]
	[ "$(grep -c reload calls)" = 2 ]
	[ "$(ls)" = "$(printf '%s\n' calls confirmed file.cfg \
		file.cfg.loaded orders quorum.sock reloaded stubs)" ]
}

@test "without a quorum or a daemon the proxy is left as it is" {
	regenerate_begin
	"$examples/regenerate-haproxy.sh" file.cfg
	: >calls
	world lost no
	run -75 "$examples/regenerate-haproxy.sh" file.cfg
	world lost unknown
	run -75 "$examples/regenerate-haproxy.sh" file.cfg
	fake_stop
	run -75 "$examples/regenerate-haproxy.sh" file.cfg
	called ''
	[ "$(cat file.cfg)" = "$three" ]
}

@test "a configuration that the proxy refuses does not replace the old one" {
	regenerate_begin
	"$examples/regenerate-haproxy.sh" file.cfg
	stub check 'exit 1'
	world lost
	run -65 "$examples/regenerate-haproxy.sh" file.cfg
	[ "$(cat file.cfg)" = "$three" ]
	[ "$(grep -c reload calls)" = 1 ]
}

@test "a proxy that could not be told is told by the next run" {
	regenerate_begin
	stub reload 'exit 1'
	run -75 "$examples/regenerate-haproxy.sh" file.cfg
	stub reload 'cat file.cfg >reloaded'
	"$examples/regenerate-haproxy.sh" file.cfg
	[ "$(cat reloaded)" = "$three" ]
}

@test "regenerating that was killed anywhere left a whole file, made good" {
	local n=1
	regenerate_begin
	while
		world member
		"$examples/regenerate-haproxy.sh" file.cfg
		world lost
		: >calls
		killed_at $n "$examples/regenerate-haproxy.sh" file.cfg
	do
		[ "$(cat file.cfg)" = "$two" ] || [ "$(cat file.cfg)" = "$three" ]
		# Never told of what was not checked and in place.
		if grep -q reload calls; then
			[ "$(head -n 1 calls)" = 'check file.cfg.new' ]
			[ "$(cat reloaded)" = "$two" ]
		fi
		"$examples/regenerate-haproxy.sh" file.cfg
		[ "$(cat file.cfg)" = "$two" ]
		[ "$(cat reloaded)" = "$two" ]
		cmp file.cfg file.cfg.loaded
		n=$((n + 1))
	done
	[ $n -gt 20 ]
}
