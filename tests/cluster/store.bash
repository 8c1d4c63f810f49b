# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# store.bash: five nodes in namespaces that each have a store, clients of it
# who write down what they ask and are told, and what is done to them; to be
# loaded after ../cli/ringd_nodes.bash and nodes.bash.

store_up() # N [LINE...]
{
	load trio
	TRIO_PROGRAMS=(ringd memberd quorumd cfgstored)
	# Tools leave to the end of the process what they allocated.
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
	clients=() watchers=() prompters=()
	trio_up "$1" 'heartbeat = 200ms' "${@:2}"
	mkfifo never
	exec {never}<>never
	all_open 90
}

# ask_store I REQUEST...: what its store answers, without the greeting.
ask_store()
{
	local i=$1
	shift
	printf '%s\n' "$@" quit | timeout 60 nc -U "run$i/cfg.sock" 2>/dev/null |
		sed '1d;$d'
}

wait_ms() # MS
{
	# no event: so much time is to pass
	read -r -t "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" \
		-u "$never" || :
}

# is_open I: its store is open, whole, and shares its view with all nodes.
is_open()
{
	local answer
	answer=$(ask_store "$1" status)
	[[ $answer == "ok state=open "*" members=$(seq -s , "$trio_count") "* ]]
}

# all_open SECONDS: within them, each is.
all_open()
{
	local i end=$((SECONDS + $1))
	for ((i = 1; i <= trio_count; i++)); do
		until is_open "$i"; do
			[ "$SECONDS" -lt "$end" ] || {
				echo "the store of node $i is not open:"
				ask_store "$i" status nodes
				tail -n 5 "log$i.cfgstored"
				return 1
			}
			wait_ms 200 # no event: nothing tells of all of it
		done
	done
}

# ---- clients ---------------------------------------------------------------

run_dirs() { seq -f 'run%.0f' "$trio_count"; }

# scripts_up COUNT: shell scripts, which use cfgstore.
scripts_up()
{
	local i
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2046 # a list
		background bash "$trio_here/shellclient.bash" "s$i" \
			"$((seed + 100 + i))" 8 $(run_dirs) \
			>>"history.s$i" 2>>"log.s$i"
		clients+=($!)
	done
}

# holders_up COUNT: scripts that want one lock, and write while they have it.
holders_up()
{
	local i
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2046 # a list
		background bash "$trio_here/lockholder.bash" "h$i" \
			"$((seed + 200 + i))" $(run_dirs) 2>>"log.h$i"
		clients+=($!)
	done
}

# What the commands under the lock noted, as lines of the history.
write_holds()
{
	local file name begin lock token end
	for file in held.*; do
		[ -s "$file" ] || continue
		read -r name begin lock token <"$file"
		end=$(tail -n +2 "$file" | grep -E '^[0-9]+\.[0-9]{2}$' |
			tail -n 1)
		awk -v b="$begin" -v e="${end:-0}" \
			'BEGIN { exit !(e + 0 > b + 0) }' || end=$begin
		echo "$name $begin $end hold lock=$lock token=$token"
	done >history.holds
	# Who was killed has told of the beginning only, or of half of the end.
	cat history.h.* /dev/null | grep -E ' - set .* token=[0-9]+$| -> ' \
		>history.told || :
	rm -f history.h.*
	cat asked.* /dev/null | awk '
		FNR == NR { told[$0] = 1; next }
		{ value = $0; sub(/.* value=/, "", value); sub(/ .*/, "", value) }
		NF == 8 && !(value in told)' \
		<(sed -n 's/.* value=\([^ ]*\) .*/\1/p' history.told) - \
		>history.asked
}

# clients_up COUNT GAP_MS: and two who watch.
clients_up()
{
	local i aids=$RINGKIT_BUILD/tests/cli
	for ((i = 1; i <= $1; i++)); do
		# shellcheck disable=SC2046 # a list
		background "$aids/storeclient" -s "$((seed + i))" -n "c$i" \
			-g "$2" $(run_dirs) >>"history.c$i" 2>>"log.c$i"
		clients+=($!)
	done
	for i in 1 2; do
		# shellcheck disable=SC2046 # a list
		background "$aids/storeclient" -W -s "$((seed + 50 + i))" \
			-n "w$i" $(run_dirs) >>"history.w$i" 2>>"log.w$i"
		watchers+=($!)
	done
}

# Each ends by itself, and none was told what it did not understand.
clients_down()
{
	local pid
	[ ${#clients[@]} = 0 ] || kill -TERM "${clients[@]}"
	for pid in "${clients[@]}"; do
		wait "$pid" || {
			echo "a client ended with $?"
			cat log.[cs]*
			return 1
		}
	done
	clients=()
}

# Everything is read once more, at every node, and then judged.
judge_store()
{
	local i
	clients_down
	for ((i = 1; i <= trio_count; i++)); do
		timeout 60 "$RINGKIT_BUILD/tests/cli/storeclient" -o -n "r$i" \
			"run$i" >>history.last
	done
	[ ${#watchers[@]} = 0 ] || kill -TERM "${watchers[@]}"
	for i in "${watchers[@]}"; do
		wait "$i" || :
	done
	watchers=()
	cat log.w* 2>/dev/null
	"$RINGKIT_BUILD/tests/check/lincheck" history.* || {
		local code=$?
		[ -z "${STORE_KEEP:-}" ] || cp -r . "$STORE_KEEP"
		return "$code"
	}
	same_everywhere
}

# Every node has the same keys, of the same revisions and values.
same_everywhere()
{
	local i
	list_of 1 >list.1
	for ((i = 2; i <= trio_count; i++)); do
		same_as_first "$i" || return 1
	done
}

# same_as_first I: what node I has is in list.1.  Leases of clients that were
# killed still end now: what node 1 has by then is another list.1, to be met.
same_as_first()
{
	local i=$1 end=$((SECONDS + 60))
	until list_of "$i" >"list.$i" && cmp -s list.1 "list.$i"; do
		list_of 1 >list.now || return 1
		if cmp -s list.1 list.now || [ "$SECONDS" -ge "$end" ]; then
			echo "node $i has another state than node 1"
			diff list.1 "list.$i" | cut -c 1-200 | head
			return 1
		fi
		mv list.now list.1
	done
}

list_of() # I
{
	"$RINGKIT_BIN/cfgstore" list --json --sync --rundir="run$1"
}

# ---- what is done to them --------------------------------------------------

slay_program() # I PROGRAM
{
	[ -n "${TRIO[$1.$2]:-}" ] || return 0
	kill -KILL "${TRIO[$1.$2]}"
	trio_gone "$1" "$2" 137
}

# All of them die in one moment.
slay_all()
{
	local name pids=()
	for name in "${!TRIO[@]}"; do
		pids+=("${TRIO[$name]}")
	done
	kill -KILL "${pids[@]}"
	for name in "${!TRIO[@]}"; do
		trio_gone "${name%%.*}" "${name#*.}" 137
	done
}

start_all()
{
	local i
	for ((i = 1; i <= trio_count; i++)); do
		trio_start "$i"
	done
}
