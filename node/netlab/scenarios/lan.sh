# shellcheck shell=bash
# Hosts on one link, and on two that one host joins.

five=(clinic chair anna ben observer)

# five_hosts: five homes whose persons are contacts of the clinic, by file.
five_hosts() {
	local n i=0
	switch lan
	for n in "${five[@]}"; do
		i=$((i + 1))
		space "$n"
		plug "$n" eth0 lan "10.71.0.$i/24"
		person "$n"
	done
	for n in "${five[@]:1}"; do befriend clinic "$n"; done
}

#: mdns                  (a) five hosts on one bridge, no default route, no address in any invite: mDNS, a group case
scenario_mdns() {
	local n s
	five_hosts
	s=$(study clinic 1)
	for n in "${five[@]}"; do
		[ -z "$(within "$n" ip route show default)" ] || fail "$n has a default route"
		! grep -q '10\.71\.' "$dir"/*.join "$dir"/*.accept || fail "an address is in an invite's files"
	done
	say "five homes, contacts by file: nobody has an address of anybody"
	for n in "${five[@]}"; do launch "$n"; done
	ready "${five[@]}"
	mark=$(now)
	for n in "${five[@]:1}"; do await 10 "clinic and $n, both ways," both clinic "$n" lan; done
	result "five hosts found each other within $(printf '%.1f' "$(($(now) - mark))e-3") s of the last one ready"
	mark=$(now)
	group "$s" "${five[@]}"
	result "group case complete in $(printf '%.1f' "$(($(now) - mark))e-3") s"
	# Members that are no contacts of each other are peers through the case.
	mark=$(now)
	await 30 "a connection of every pair of the five" all_reach "${five[@]}"
	result "all ten pairs connected $(printf '%.1f' "$(($(now) - mark))e-3") s later"
}

# two_lans: a1 and a2 on one link, b1 and b2 on another, joint on both.
two_lans() {
	local n
	switch lana
	switch lanb
	for n in a1 a2 b1 b2 joint; do space "$n"; person "$n"; done
	plug a1 eth0 lana 10.72.1.1/24
	plug a2 eth0 lana 10.72.1.2/24
	plug b1 eth0 lanb 10.72.2.1/24
	plug b2 eth0 lanb 10.72.2.2/24
	plug joint eth0 lana 10.72.1.9/24
	plug joint eth1 lanb 10.72.2.9/24
	befriend a1 a2
	befriend a1 joint
	befriend joint b1
	befriend joint b2
}

#: islands               (b) two LANs that one member joins: it carries; once there is a route they meet directly
scenario_islands() {
	local n s c
	two_lans
	s=$(study a1 2)
	for n in a1 a2 b1 b2 joint; do launch "$n"; done
	ready a1 a2 b1 b2 joint
	mark=$(now)
	await 20 "joint reaches both LANs" eval 'both joint a1 && both joint b1 && both joint b2 && both a1 a2'
	c=$(on a1 --json request --study "$s" --to a2 --to joint --identified --question "Who reads this?" 2>/dev/null | field case)
	[ -n "$c" ] || fail "the request is refused"
	complete joint "$c"
	on joint --json case invite "$c" --to b1 >/dev/null 2>&1 || {
		on a1 --json case invite "$c" --to joint --role coordinator >/dev/null 2>&1 || true
		await 20 "joint may invite" on joint --json case invite "$c" --to b1
	}
	on joint --json case invite "$c" --to b2 >/dev/null
	mark=$(now)
	for n in a2 b1 b2; do complete "$n" "$c"; done
	say "the study is at all five, though a1 and b1 have no way to each other"
	for n in a2 b1 b2 joint; do says "$n" "$c" "hello-of-$n"; done
	await 60 "the same state at all five" agree "$c" a1 a2 b1 b2 joint
	for n in a2 b1 b2 joint; do reads a1 "$c" "hello-of-$n" || fail "a1 does not read $n"; done
	[ "$(path a1 b1)" = none ] || fail "a1 has a way to b1: $(path a1 b1)"
	result "two LANs converged over the joint host in $(printf '%.1f' "$(($(now) - mark))e-3") s; a1 and b1 have no path"
	# The joint host becomes a router: now a route exists, and cards have told the addresses.
	within joint sysctl -qw net.ipv4.ip_forward=1
	for n in a1 a2; do within "$n" ip route add 10.72.2.0/24 via 10.72.1.9; done
	for n in b1 b2; do within "$n" ip route add 10.72.1.0/24 via 10.72.2.9; done
	mark=$(now)
	await 90 "a1 and b1 connected directly" both a1 b1
	result "with a route, a1 and b1 met directly after $(printf '%.1f' "$(($(now) - mark))e-3") s ($(path a1 b1))"
	halt joint
	says b1 "$c" "without-joint"
	mark=$(now)
	await 60 "what b1 says reaches a1 without joint" reads a1 "$c" without-joint
}
