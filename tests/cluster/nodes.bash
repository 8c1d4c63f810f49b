# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# nodes.bash: N nodes on this machine, to be sourced.
#
#   nodes_up N          namespaces joined by a bridge, one a node; without root
#                       loopback addresses and nothing else
#   nodes_exec I CMD... runs CMD, in place of this shell, in node I
#   nodes_loss PERCENT  of the packets that come in, at every node
#   nodes_cut FROM TO [both]   what nodes FROM (1,2,3) send no longer comes to
#                       nodes TO, nor the other way
#   nodes_deaf LIST     no multicast of the cluster's comes to nodes LIST
#   nodes_echo I J      what node I sends to a group comes to node J twice
#   nodes_v6            each also has an IPv6 address, in nodes_addr6
#   nodes_graph WAY...  of all datagrams just those of these ways, as in 2>3,
#                       are lost from one moment on
#   nodes_mute I        no ICMP leaves node I: nobody is told of closed ports
#   nodes_refuse I J    node I's own firewall refuses what it sends to node J
#   nodes_wire MS       on the first network each packet takes up to MS longer;
#                       what was in a bridge is in a cable (wire.c)
#   nodes_unwire        until then; or until nodes_down
#   nodes_heal          ends all loss, cuts, muting and refusals
#   nodes_down
#
# nodes_dir must name a folder; node I has the address in nodes_addr[I].  Each
# node also has /run and /dev/shm of its own.

nodes_count=0
nodes_addr=()
nodes_addr2=()
nodes_addr6=()
nodes_anchor=()
nodes_is_apart=$([ "$(id -u)" = 0 ] && command -v ip >/dev/null && echo yes)

# nodes_need [COMMAND...]: skips the test without root and these.
nodes_need()
{
	local missing
	[ -n "$nodes_is_apart" ] || skip "needs root, for network namespaces"
	for missing in nft setsid unshare nsenter "$@"; do
		command -v "$missing" >/dev/null || skip "needs $missing"
	done
}

nodes_netns() { echo "rk-$$-$1"; }

nodes_add() # I
{
	local i=$1 name ready=$nodes_dir/ready.$1
	name=$(nodes_netns "$i")
	ip netns add "$name" || return
	ip netns exec "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip link add "p$i" netns "$(nodes_netns bridge)" mtu 1500 \
		type veth peer name eth0 netns "$name" mtu 1500
	ip -n "$(nodes_netns bridge)" link set "p$i" master br0 up
	ip -n "$name" addr add "${nodes_addr[i]}/24" brd + dev eth0
	ip -n "$name" link set lo up
	ip -n "$name" link set eth0 up
	mkfifo "$ready"
	# Holds the node's namespaces for as long as it lives.
	# shellcheck disable=SC2016
	setsid ip netns exec "$name" unshare -m --propagation private sh -c '
		mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run &&
		echo >"$1" && exec sleep infinity' \
		sh "$ready" </dev/null >/dev/null 2>&1 &
	nodes_anchor[i]=$!
	read -r _ <"$ready"
	rm "$ready"
}

nodes_up() # N
{
	local i
	nodes_count=$1
	for ((i = 1; i <= nodes_count; i++)); do
		nodes_addr[i]=127.77.0.$i
		[ -z "$nodes_is_apart" ] || nodes_addr[i]=10.77.0.$i
	done
	[ -n "$nodes_is_apart" ] || return 0
	ip netns add "$(nodes_netns bridge)" || return
	ip -n "$(nodes_netns bridge)" link add br0 type bridge mcast_snooping 0
	ip -n "$(nodes_netns bridge)" link set br0 mtu 1500 up
	for ((i = 1; i <= nodes_count; i++)); do
		nodes_add "$i" || return
	done
}

nodes_exec() # I CMD...
{
	local i=$1
	shift
	[ -n "$nodes_is_apart" ] || exec "$@"
	exec nsenter -t "${nodes_anchor[i]}" -m -n -- "$@"
}

# A super-packet would be lost or pass as one: with loss, datagrams travel by
# themselves, whoever sends them.
nodes_loss() # PERCENT
{
	local i on=on
	[ "$1" = 0 ] || on=off
	for ((i = 1; i <= nodes_count; i++)); do
		(nodes_exec "$i" ethtool -K eth0 tso "$on" gso "$on" gro "$on" \
			tx-udp-segmentation "$on") >/dev/null 2>&1
		ip netns exec "$(nodes_netns bridge)" ethtool -K "p$i" \
			tso "$on" gso "$on" gro "$on" \
			tx-udp-segmentation "$on" >/dev/null 2>&1
		(nodes_exec "$i" nft flush ruleset)
		[ "$1" = 0 ] || (nodes_exec "$i" nft -f - <<-END) || return
			table inet loss {
				chain input {
					type filter hook input priority 0;
					iifname eth0 meta l4proto udp numgen random mod 1000 < $(($1 * 10)) drop
				}
			}
		END
	done
}

nodes_ports() # LIST: those of 1,2,3 at the bridge
{
	local list=\"p${1//,/\", \"p}\"
	echo "{ $list }"
}

# At the bridge, so that it is so for all of them at one moment.
nodes_cut() # FROM TO [both]
{
	local from to
	from=$(nodes_ports "$1") to=$(nodes_ports "$2")
	ip netns exec "$(nodes_netns bridge)" nft -f - <<-END
		table bridge cut {
			chain forward {
				type filter hook forward priority 0;
				iifname $from oifname $to drop
				${3:+iifname $to oifname $from drop}
			}
		}
	END
}

# Whom ARP cannot ask it cannot send to either: that passes.
nodes_graph() # WAY...
{
	local way
	{
		echo 'table bridge graph {'
		echo 'chain forward { type filter hook forward priority 0; }'
		echo '}'
		echo 'flush chain bridge graph forward'
		for way; do
			echo "add rule bridge graph forward iifname p${way%>*}" \
				"oifname p${way#*>} ether type ip drop"
		done
	} | ip netns exec "$(nodes_netns bridge)" nft -f -
}

# nodes_narrow BYTES [I]: what is longer, with IP's header, vanishes on the first
# network, on its way from or to node I or anybody, and nobody is told.
# (Segmentation would hide it.)
nodes_narrow()
{
	local i
	for ((i = 1; i <= nodes_count; i++)); do
		(nodes_exec "$i" ethtool -K eth0 tso off gso off gro off \
			tx-udp-segmentation off) >/dev/null 2>&1
	done
	ip netns exec "$(nodes_netns bridge)" nft -f - <<-END
		table bridge narrow {
			chain forward {
				type filter hook forward priority 0;
				iifname "p${2:-*}" meta length > $1 drop
				oifname "p${2:-*}" meta length > $1 drop
			}
		}
	END
}

# What IPv6 itself needs still passes.
nodes_deaf() # LIST
{
	local to
	to=$(nodes_ports "$1")
	ip netns exec "$(nodes_netns bridge)" nft -f - <<-END
		table bridge deaf {
			chain forward {
				type filter hook forward priority 0;
				oifname $to ip daddr 239.0.0.0/8 drop
				oifname $to ip6 daddr ff15::/16 drop
			}
		}
	END
}

nodes_echo() # I J
{
	ip netns exec "$(nodes_netns bridge)" nft -f - <<-END
		table netdev echo {
			chain ingress {
				type filter hook ingress device p$1 priority 0;
				ip daddr 239.0.0.0/8 dup to p$2
			}
		}
	END
}

nodes_v6()
{
	local i
	for ((i = 1; i <= nodes_count; i++)); do
		nodes_addr6[i]=fd77::$i
		ip netns exec "$(nodes_netns "$i")" sysctl -qw \
			net.ipv6.conf.all.disable_ipv6=0 || return
		ip -n "$(nodes_netns "$i")" addr add "fd77::$i/64" \
			dev eth0 nodad || return
	done
}

nodes_mute() # I
{
	(nodes_exec "$1" nft -f - <<-END)
		table inet mute {
			chain output {
				type filter hook output priority 0;
				meta l4proto icmp drop
			}
		}
	END
}

nodes_refuse() # I J
{
	(nodes_exec "$1" nft -f - <<-END)
		table ip refuse {
			chain output {
				type filter hook output priority 0;
				ip daddr ${nodes_addr[$2]} meta l4proto udp reject with icmp type port-unreachable
			}
		}
	END
}

nodes_wire() # MS
{
	local i ends=() bridge ready=$nodes_dir/wire.ready
	bridge=$(nodes_netns bridge)
	for ((i = 1; i <= nodes_count; i++)); do
		(nodes_exec "$i" ethtool -K eth0 tso off gso off gro off \
			tx-udp-segmentation off) >/dev/null 2>&1
		ip -n "$bridge" link set "p$i" nomaster
		ends+=("p$i")
	done
	rm -f "$ready"
	mkfifo "$ready"
	# nodes_end ends whatever still runs.
	ip netns exec "$bridge" "$RINGKIT_BUILD/tests/cluster/wire" -j "$1" \
		"${ends[@]}" </dev/null >"$ready" 3>&- &
	nodes_cable=$!
	exec {nodes_carried}<"$ready"
	read -r _ <&"$nodes_carried"
}

# Prints what the cable has carried.
nodes_unwire()
{
	local i
	kill "$nodes_cable"
	wait "$nodes_cable"
	cat <&"$nodes_carried"
	exec {nodes_carried}<&-
	for ((i = 1; i <= nodes_count; i++)); do
		ip -n "$(nodes_netns bridge)" link set "p$i" master br0 ||
			return
	done
}

nodes_heal()
{
	local i
	ip netns exec "$(nodes_netns bridge)" nft flush ruleset || return
	for ((i = 1; i <= nodes_count; i++)); do
		(nodes_exec "$i" nft flush ruleset) || return
	done
}

nodes_down()
{
	local i
	[ -n "$nodes_is_apart" ] || return 0
	for ((i = 1; i <= nodes_count; i++)); do
		[ -z "${nodes_anchor[i]:-}" ] || kill "${nodes_anchor[i]}"
		ip netns del "$(nodes_netns "$i")"
	done
	ip netns del "$(nodes_netns bridge)"
	nodes_anchor=()
	nodes_count=0
}

# nodes_second: after nodes_up, another network of the same nodes, which cuts
# and loss do not touch; node I has nodes_addr2[I] there.
nodes_second()
{
	local i bridge
	bridge=$(nodes_netns bridge)
	ip -n "$bridge" link add br1 type bridge mcast_snooping 0
	ip -n "$bridge" link set br1 mtu 1500 up
	for ((i = 1; i <= nodes_count; i++)); do
		nodes_addr2[i]=10.78.0.$i
		ip link add "q$i" netns "$bridge" mtu 1500 type veth \
			peer name eth1 netns "$(nodes_netns "$i")" mtu 1500 ||
			return
		ip -n "$bridge" link set "q$i" master br1 up
		ip -n "$(nodes_netns "$i")" addr add "${nodes_addr2[i]}/24" \
			brd + dev eth1
		ip -n "$(nodes_netns "$i")" link set eth1 up
	done
}

# nodes_tells I PATTERN: a line of the status of node I matches, soon.
nodes_tells()
{
	local end=$((SECONDS + 60))
	until ask "$1" status | grep -q -- "$2"; do
		((SECONDS < end)) || {
			echo "node $1: no $2"
			ask "$1" status | grep -e kind=link -e kind=ring \
				-e kind=local
			return 1
		}
	done
}
