# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# daemons.bash: a daemon on each node, to be sourced after ../cluster/nodes.bash.
#
#   daemons_up KIND    ring: ringd at normal priority; ring-rr: with SCHED_RR;
#                      ring-whole: that, and with its supervisor;
#                      peer-rr, peer: Corosync (udpu, no encryption), with and
#                      without its realtime priority; peer-default: at its
#                      defaults (knet); peer-fast: udpu with the lowest token
#                      timeout at which it was seen to hold
#   daemons_start I    starts the one of node I again, which has ended
#   daemons_down
#
# daemons_pid[I] is the one of node I; daemons_log I prints its log, which is
# the file daemons_log_file I.

daemons_kind=
daemons_pid=()

daemons_ring_conf() # KIND
{
	local i
	printf '[cluster]\nname = bench\nkey_file = key\n[ring]\n'
	echo "rt_priority = $([ "$1" = ring ] && echo 0 || echo 20)"
	for ((i = 1; i <= nodes_count; i++)); do
		printf '[node n%d]\nid = %d\nlink0 = %s\n' \
			"$i" "$i" "${nodes_addr[i]}"
	done
}

daemons_ring() # KIND I
{
	local dir=$nodes_dir/$2 alone=--no-supervisor
	# One process, whose time is measured.
	[ "$1" != ring-whole ] || alone=
	# shellcheck disable=SC2086 # or no word
	nodes_exec "$2" "$RINGKIT_BIN/ringd" --config "$nodes_dir/ring.conf" \
		--node "$2" --rundir "$dir" --statedir "$dir/state" $alone \
		--ready-fd 9 9>"$dir/ready" >>"$dir/log" 2>&1
}

daemons_peer_conf() # KIND I
{
	local i transport=udpu token=
	case $1 in
	peer-default) transport=knet ;;
	peer-fast) token=$'token: 130\ntoken_coefficient: 0' ;;
	esac
	cat <<-END
		totem {
			version: 2
			cluster_name: bench
			transport: $transport
			$token
			crypto_cipher: none
			crypto_hash: none
		}
		quorum {
			provider: corosync_votequorum
		}
		logging {
			to_stderr: no
			to_syslog: no
			to_logfile: yes
			logfile: $nodes_dir/$2/log
			timestamp: hires
		}
		system {
			state_dir: $nodes_dir/$2/state
			sched_rr: $([ "$1" = peer ] && echo no || echo yes)
		}
		nodelist {
	END
	for ((i = 1; i <= nodes_count; i++)); do
		printf 'node {\nname: n%d\nnodeid: %d\nring0_addr: %s\n}\n' \
			"$i" "$i" "${nodes_addr[i]}"
	done
	echo "}"
}

daemons_peer() # KIND I
{
	local dir=$nodes_dir/$2
	daemons_peer_conf "$1" "$2" >"$dir/peer.conf"
	nodes_exec "$2" corosync -f -c "$dir/peer.conf" >>"$dir/log" 2>&1
}

daemons_is_ring() { [ "${daemons_kind%%-*}" = ring ]; }

daemons_launch() # I
{
	"daemons_${daemons_kind%%-*}" "$daemons_kind" "$1" </dev/null &
	daemons_pid[$1]=$!
}

daemons_await() # I: until it has a view
{
	! daemons_is_ring || read -r _ <"$nodes_dir/$1/ready" || {
		daemons_log "$1" >&2
		return 1
	}
}

daemons_start() # I
{
	daemons_launch "$1"
	daemons_await "$1"
}

daemons_up() # KIND
{
	local i
	daemons_kind=$1
	if daemons_is_ring; then
		echo "1 $(printf '%064d' 7)" >"$nodes_dir/key"
		chmod 400 "$nodes_dir/key"
		daemons_ring_conf "$1" >"$nodes_dir/ring.conf"
	fi
	for ((i = 1; i <= nodes_count; i++)); do
		mkdir -p "$nodes_dir/$i/state"
		! daemons_is_ring || mkfifo "$nodes_dir/$i/ready"
		daemons_launch "$i"
	done
	for ((i = 1; i <= nodes_count; i++)); do
		daemons_await "$i" || return
	done
}

daemons_log_file() { echo "$nodes_dir/$1/log"; } # I
daemons_log() { cat "$(daemons_log_file "$1")"; } # I

daemons_down()
{
	local i
	for ((i = 1; i <= nodes_count; i++)); do
		[ -z "${daemons_pid[i]:-}" ] || kill "${daemons_pid[i]}"
	done 2>/dev/null
	for ((i = 1; i <= nodes_count; i++)); do
		[ -z "${daemons_pid[i]:-}" ] || wait "${daemons_pid[i]}"
		rm -rf "${nodes_dir:?}/$i"
	done 2>/dev/null
	daemons_pid=()
}
