# quorumfake.bash: a quorumd of the test's own, that says what it is told to.
# shellcheck shell=bash disable=SC2034,SC2154

# A ring of three, this node is alpha; in the test's folder.
MEMBERS_ALL="votes=3 needed=2 expected=3 basis=majority view=1.7 pos=1.7:40.1\
 members=1,2,3 self=1 name=alpha coordinator=1 settled=yes age_ms=41"

fake_start()
{
	mkfifo orders confirmed
	"$RINGKIT_BUILD/tests/cli/quorumfake" "$PWD/quorum.sock" \
		<orders >confirmed 2>/dev/null 3>&- &
	FAKE=$!
	exec 8>orders 9<confirmed
	export RINGKIT_RUNDIR=$PWD
	fake node "node=1 name=alpha addr=10.0.0.1 state=member inc=17 local=yes"
	fake node "node=2 name=beta addr=10.0.0.2 state=member inc=4 local=no"
	fake node "node=3 name=gamma addr=10.0.0.3 state=member inc=9 local=no"
	fake ready "view=1.7 members=1,2,3 coordinator=1 quorate=yes cursor=c:3"
	fake answer "ok quorate=yes $MEMBERS_ALL waiting_for= why=more\0040than\0040half"
}

fake_stop()
{
	exec 8>&- 9<&-
	[ -z "${FAKE-}" ] || {
		kill -CONT "$FAKE" 2>/dev/null || :
		kill "$FAKE" 2>/dev/null || :
		wait "$FAKE" 2>/dev/null || :
	}
}

# fake ORDER...: done when this returns.
fake()
{
	local confirmed
	printf '%s\n' "$*" >&8
	read -r -t 60 confirmed <&9
}

fake_lose_quorum()
{
	fake answer "ok quorate=no votes=1 needed=2 expected=3 basis=none view=1.8\
 pos=1.8:1.1 members=1 self=1 name=alpha coordinator=1 settled=no age_ms=3\
 waiting_for=beta,gamma why=1\0040vote\0040here\0040of\00403\0040expected,\00402\0040needed;\0040missing:\0040beta\0040and\0040gamma"
	fake ev "leave node=2 name=beta inc=4 reason=lost why=timeout"
	fake ev "leave node=3 name=gamma inc=9 reason=lost why=timeout"
	fake ev "view view=1.8 prev=1.7 members=1 joined= left=2,3\
 reasons=2:lost,3:lost reason=timeout ms=3 coordinator=1 quorate=no votes=1\
 needed=2 expected=3 basis=none"
}

fake_gain_quorum()
{
	fake answer "ok quorate=yes $MEMBERS_ALL waiting_for= why=x"
	fake ev "join node=2 name=beta addr=10.0.0.2 inc=${1:-5} was=restarted"
	fake ev "join node=3 name=gamma addr=10.0.0.3 inc=9 was=partition"
	fake ev "view view=1.9 prev=1.8 members=1,2,3 joined=2,3 left=\
 reason=merge ms=3 coordinator=1 quorate=yes votes=3 needed=2 expected=3\
 basis=majority"
}
