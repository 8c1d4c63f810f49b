#!/usr/bin/env bats
# What shells, pipes and clocks do to whoever lives among them: cases for
# watch-membership and check-quorum that their own files do not have.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers
load quorumfake

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	fake_start
}
teardown() { fake_stop; }

# A refusal to whoever connects, in place of the daemon.
refuse() # LINE
{
	mkfifo answers
	exec 7<>answers
	printf '%s\n' "$1" >&7
	fake_daemon quorum.sock <&7 7>&- 8>&- 9<&-
}

ms_since() # EPOCHREALTIME
{
	echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

@test "a loop over lines keeps its lines" {
	local line count=0
	while read -r line; do
		[ -n "$line" ]
		check-quorum -q
		check-quorum -q --wait quorate -- true
		watch-membership --now -e ready >got
		watch-membership --now -- true
		[ "$(wc -l <got)" = 1 ]
		count=$((count + 1))
	done < <(printf '%s\n' one two three)
	[ $count = 3 ]
}

@test "--watch ends when its reader goes, and prints at once" {
	local began=$EPOCHREALTIME
	check-quorum --watch | head -n 1 >got
	grep -q '^ready .* quorate=yes ' got
	[ "$(ms_since "$began")" -lt 5000 ]
	mkfifo pipe
	cat pipe >seen 3>&- 8>&- 9<&- &
	check-quorum --watch >pipe 3>&- 8>&- 9<&- &
	local watcher=$!
	fake clients
	fake_lose_quorum
	await grep -q '^ready .* quorate=yes ' seen
	fake ev "quorum quorate=yes prev=no votes=2 reason=votes-changed"
	await grep -q '^quorum quorate=yes ' seen
	kill $watcher
}

@test "words of any bytes come through -o in every shell" {
	local value=$'a $(touch bad) "q\' *?[x]=- `touch bad`\n\tb\\n\r'
	local shell text found=0
	text='a\0040$(touch\0040bad)\0040"q'\''\0040\0052\0077\0133x\0135=-\0040`touch\0040bad`\n\tb\\n\r'
	fake answer "ok quorate=yes $MEMBERS_ALL why=$text"
	printf '%s' "$value" >wanted
	check-quorum -o quorate,why >line
	for shell in dash bash mksh 'busybox sh'; do
		command -v "${shell%% *}" >/dev/null || continue
		found=$((found + 1))
		# Careless on purpose.
		$shell -c 'set -- $(cat line)
			[ $# = 2 ] || exit
			printf %b "$2" >got'
		cmp wanted got
	done
	[ $found -ge 2 ]
	check-quorum -j | jq -rj .why | cmp - wanted
	[ ! -e bad ]
	# What begins with a dash is a condition behind a double dash only.
	run -64 check-quorum --wait -nonsense
	fake node "node=4 name=-q addr=10.0.0.4 state=member inc=1 local=no"
	check-quorum '!lost:-q'
}

@test "a daemon without room is 75, another's protocol 76" {
	local tool
	# shellcheck disable=SC2086 # words
	for tool in 'watch-membership --now' 'check-quorum -q'; do
		fake_stop
		rm -f answers
		refuse 'err code=busy n=75 msg=full'
		run -75 timeout 60 $tool 7>&-
		exec 7>&-
		wait "$FAKE" || :
		rm -f answers
		refuse 'SSH-2.0-OpenSSH_9.2'
		run -76 timeout 60 $tool 7>&-
		exec 7>&-
		wait "$FAKE" || :
		FAKE=
	done
}

@test "a daemon that denies is 77, and a socket that may not be opened" {
	local tool
	mkfifo answers
	exec 7<>answers
	printf '%s\n' 'ringkit proto=1 min=1 daemon=quorumd node=1 name=alpha' \
		'err code=denied n=77 msg=no' >&7
	fake_stop
	fake_daemon quorum.sock <&7 7>&- 8>&- 9<&-
	run -77 watch-membership --now 7>&-
	exec 7>&-
	wait "$FAKE" || :
	FAKE=
	[ "$(id -u)" = 0 ] || skip "who is not root cannot be somebody else"
	local dir
	dir=$(mktemp -d "${TMPDIR:-/tmp}/ringkit-denied-XXXXXX")
	chmod 755 "$dir"
	fake_daemon "$dir/quorum.sock" </dev/null
	chmod 600 "$dir/quorum.sock"
	cp "$(command -v watch-membership)" "$(command -v check-quorum)" "$dir"
	# shellcheck disable=SC2086 # words
	for tool in 'watch-membership --now' check-quorum; do
		run -77 setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$dir"/$tool --rundir="$dir"
	done
	rm -rf "$dir"
}

# A wall clock that is set by hours, forth and back, whenever it is read.
shim()
{
	command -v cc >/dev/null || skip "there is no compiler"
	cc -shared -fPIC -D_GNU_SOURCE -o shim.so -x c - -ldl <<-'END'
		#include <dlfcn.h>
		#include <time.h>
		int clock_gettime(clockid_t id, struct timespec *ts)
		{
			static int (*real)(clockid_t, struct timespec *);
			static unsigned count;
			if (!real)
				real = (int (*)(clockid_t, struct timespec *))
				    dlsym(RTLD_NEXT, "clock_gettime");
			int rc = real(id, ts);
			if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
				ts->tv_sec += (++count & 1 ? 1 : -1) * 3600L *
				    (count % 97);
			return rc;
		}
	END
	export LD_PRELOAD=$PWD/shim.so
	watch-membership --version >/dev/null 2>&1 || {
		unset LD_PRELOAD
		skip "nothing can be preloaded into these programs"
	}
}

@test "a wall clock that is set makes nothing earlier or later" {
	shim
	# It does what it is for.
	[ "$(date +%s)" -gt $((${EPOCHREALTIME%.*} + 3000)) ]
	local began=$EPOCHREALTIME
	check-quorum -q --wait quorate --for 400ms -t 60s
	[ "$(ms_since "$began")" -ge 400 ]
	[ "$(ms_since "$began")" -lt 15000 ]
	began=$EPOCHREALTIME
	run -124 check-quorum --wait '!quorate' -t 300ms
	[ "$(ms_since "$began")" -ge 300 ]
	began=$EPOCHREALTIME
	run -124 watch-membership --no-snapshot -t 300ms
	[ "$(ms_since "$began")" -ge 300 ]
	watch-membership --now --settle=100ms -- true
}

@test "wall clocks that are set cost a real cluster neither members nor quorum" {
	shim
	fake_stop
	patient_conf 2s >conf
	run -0 timeout 120 ringkit sandbox --port="$(test_port)" -c conf 3 \
		"$PWD/nodes" -- \
		sh -c 'export RINGKIT_RUNDIR=$RINGKIT_SANDBOX/1
			check-quorum --wait settled all -t 60s || exit 1
			watch-membership --no-snapshot -e leave,join,view,down,pause \
				-t 3s
			[ $? = 124 ] || exit 1
			check-quorum' 3>&-
	echo "$output"
	[ "${output%% *}" = quorate ]
	# Their logs show it.
	[ "$(sed 's/.* ts=[^T]*T\(..\):.*/\1/' nodes/*/*.log | sort -u |
		wc -l)" -gt 2 ]
}
