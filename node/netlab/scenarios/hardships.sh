# shellcheck shell=bash
# What a LAN does to a node.

# pair: two homes that know each other by PeerID, on one switch; the second address is left out.
pair() {
	switch lan
	for n in ann bob; do space "$n"; person "$n"; done
	plug ann eth0 lan 10.73.0.1/24
	plug bob eth0 lan "$@"
	befriend ann bob
}

#: nomulticast           a switch that drops multicast: the beacon's directed broadcast
scenario_nomulticast() {
	pair 10.73.0.2/24
	no_multicast lan
	launch ann
	launch bob
	ready ann bob
	mark=$(now)
	await 15 "ann and bob connected" both ann bob lan
	result "multicast dropped: connected $(printf '%.1f' "$(($(now) - mark))e-3") s after both were ready"
}

#: nobeacon              neither multicast nor broadcast passes: an address told by hand (a static peer)
scenario_nobeacon() {
	pair 10.73.0.2/24
	no_multicast lan
	within ann nft 'table ip f { chain o { type filter hook output priority 0; fib daddr type broadcast drop; }; }'
	within bob nft 'table ip f { chain o { type filter hook output priority 0; fib daddr type broadcast drop; }; }'
	serve ann
	serve bob
	sleep 5
	[ "$(path ann bob)" = none ] || fail "they met: $(path ann bob)"
	say "nothing passes, as it should be; now bob is told an address of ann"
	halt bob
	mark=$(now)
	serve bob --bootstrap "$(on ann --json id --no-invite | grep -o '"/ip4/10\.73\.0\.1/tcp/[^"]*"' | head -1 | tr -d '"')"
	await 20 "ann and bob connected" both ann bob lan
	result "static peer: connected $(printf '%.1f' "$(($(now) - mark))e-3") s after it was named"
}

#: latecable             a node that starts with its cable out
scenario_latecable() {
	pair 10.73.0.2/24
	cable bob eth0 down
	serve ann
	serve bob
	sleep 4
	[ "$(path ann bob)" = none ] || fail "they met without a cable"
	cable bob eth0 up
	mark=$(now)
	await 20 "ann and bob connected" both ann bob lan
	result "cable in: connected after $(printf '%.1f' "$(($(now) - mark))e-3") s"
}

#: lateaddress           a node that starts before its interface has an address (DHCP is slow)
scenario_lateaddress() {
	pair
	serve ann
	serve bob
	sleep 2
	ip -n "$(ns bob)" addr add 10.73.0.2/24 dev eth0
	mark=$(now)
	await 20 "ann and bob connected" both ann bob lan
	result "address late: connected after $(printf '%.1f' "$(($(now) - mark))e-3") s"
}

#: newaddress            an address that changes while connected, in a case; a newcomer gets the new one
scenario_newaddress() {
	local c s
	pair 10.73.0.2/24
	space cem
	person cem
	plug cem eth0 lan 10.73.0.3/24
	befriend bob cem
	s=$(study ann 3)
	serve ann
	serve bob
	await 15 "ann and bob connected" both ann bob lan
	c=$(on ann --json request --study "$s" --to bob --identified --question "?" 2>/dev/null | field case)
	complete bob "$c"
	ip -n "$(ns bob)" addr del 10.73.0.2/24 dev eth0
	ip -n "$(ns bob)" addr add 10.73.0.77/24 dev eth0
	mark=$(now)
	says ann "$c" "after-the-move"
	await 30 "bob reads what ann said after the move" reads bob "$c" after-the-move
	result "changed address: the case went on after $(printf '%.1f' "$(($(now) - mark))e-3") s"
	mark=$(now)
	serve cem
	await 20 "a newcomer and bob connected" both cem bob lan
	result "a newcomer met the moved node after $(printf '%.1f' "$(($(now) - mark))e-3") s"
	mark=$(now)
	await 20 "the new address in bob's card" eval "on bob --json id --no-invite | grep -q '10\.73\.0\.77' && ! on bob --json id --no-invite | grep -q '10\.73\.0\.2/'"
}

#: secondcard            a second network card that comes up later, with a peer behind it
scenario_secondcard() {
	pair 10.73.0.2/24
	switch other
	space cem
	person cem
	plug cem eth0 other 10.74.0.3/24
	befriend ann cem
	serve ann
	serve bob
	serve cem
	await 15 "ann and bob connected" both ann bob lan
	[ "$(path ann cem)" = none ] || fail "ann reaches cem without a card"
	plug ann eth1 other 10.74.0.1/24
	mark=$(now)
	await 20 "ann and cem connected" both ann cem lan
	both ann bob lan || fail "the first card's peer is gone"
	result "second card: its peer connected after $(printf '%.1f' "$(($(now) - mark))e-3") s"
}

#: lanonly               --lan-only sends no packet to a public address and takes none from one
scenario_lanonly() {
	pair 10.73.0.2/24
	switch net
	space gw
	plug gw lan0 lan 10.73.0.254/24
	plug gw wan0 net 5.6.7.1/24
	space far
	person far
	plug far eth0 net 5.6.7.8/24
	within gw sysctl -qw net.ipv4.ip_forward=1
	within gw nft 'table ip f { counter out { }; chain through { type filter hook forward priority 0; iifname lan0 counter name out; }; }'
	for n in ann bob; do within "$n" ip route add default via 10.73.0.254; done
	within far ip route add default via 5.6.7.1
	serve far
	serve ann
	on ann contact add "$(on far --json id | field invite)" >/dev/null
	await 20 "ann and far connected" reaches ann far direct
	halt ann
	within gw nft reset counters >/dev/null
	serve ann --lan-only
	serve bob --lan-only
	mark=$(now)
	await 15 "ann and bob connected" both ann bob lan
	sleep 8
	[ "$(path ann far)" = none ] || fail "ann reaches far over a public address"
	# What far sends in is answered by the kernel alone (a handshake and its end): no byte of ours.
	say "$(within gw nft list counter ip f out | tr -d '\n\t')"
	halt far
	within gw nft reset counters >/dev/null
	sleep 5
	out=$(within gw nft list counter ip f out | grep -o 'packets [0-9]*' | cut -d' ' -f2)
	[ "$out" = 0 ] || fail "$out packets went to the public address"
	result "--lan-only: no packet to a public address in 5 s, no session from one"
}
