# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# daemons.bash: a daemon on each node, to be sourced after ../cluster/nodes.bash.
#
#   daemons_up KIND   ring: ringd at normal priority; ring-rr: with SCHED_RR;
#                     peer-rr, peer: Corosync (udpu, no encryption), with and
#                     without its realtime priority
#   daemons_down
#
# daemons_pid[I] is the one of node I; daemons_log I prints its log.

daemons_kind=
daemons_pid=()

daemons_ring_conf() # KIND
{
	local i
	printf '[cluster]\nname = bench\nkey_file = key\n[ring]\n'
	echo "rt_priority = $([ "$1" = ring-rr ] && echo 20 || echo 0)"
	for ((i = 1; i <= nodes_count; i++)); do
		printf '[node n%d]\nid = %d\nlink0 = %s\n' \
			"$i" "$i" "${nodes_addr[i]}"
	done
}

daemons_ring() # KIND I
{
	local dir=$nodes_dir/$2
	# One process, whose time is measured.
	nodes_exec "$2" "$RINGKIT_BIN/ringd" --config "$nodes_dir/ring.conf" \
		--node "$2" --rundir "$dir" --statedir "$dir/state" \
		--no-supervisor \
		--ready-fd 9 9>"$dir/ready" >"$dir/log" 2>&1
}

daemons_peer_conf() # KIND I
{
	local i
	cat <<-END
		totem {
			version: 2
			cluster_name: bench
			transport: udpu
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
		}
		system {
			state_dir: $nodes_dir/$2/state
			sched_rr: $([ "$1" = peer-rr ] && echo yes || echo no)
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
	nodes_exec "$2" corosync -f -c "$dir/peer.conf" >"$dir/log" 2>&1
}

daemons_up() # KIND
{
	local i run=daemons_${1%-rr}
	daemons_kind=$1
	if [ "$run" = daemons_ring ]; then
		echo "1 $(printf '%064d' 7)" >"$nodes_dir/key"
		chmod 400 "$nodes_dir/key"
		daemons_ring_conf "$1" >"$nodes_dir/ring.conf"
	fi
	for ((i = 1; i <= nodes_count; i++)); do
		mkdir -p "$nodes_dir/$i/state"
		[ "$run" = daemons_peer ] || mkfifo "$nodes_dir/$i/ready"
		"$run" "$1" "$i" </dev/null &
		daemons_pid[i]=$!
	done
	[ "$run" = daemons_ring ] || return 0
	for ((i = 1; i <= nodes_count; i++)); do
		read -r _ <"$nodes_dir/$i/ready" && continue
		daemons_log "$i" >&2
		return 1
	done
}

daemons_log() { cat "$nodes_dir/$1/log"; } # I

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
