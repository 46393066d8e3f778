# shellcheck shell=bash
# Hosts behind routers of their own, with a relay between.

# relay: on the internet of this run.
relay() {
	mkdir -p "$dir/relay"
	run_within relay "$relay_program" --home "$dir/relay" --listen 0.0.0.0:4001
	ready relay
	relay_addr=$(grep -o '/ip4/5\.6\.7\.1/tcp/4001/p2p/[A-Za-z0-9]*' "$dir/relay.out" | head -1)
	[ -n "$relay_addr" ] || relay_addr=/ip4/5.6.7.1/tcp/4001/p2p/$(grep -oh '12D3[A-Za-z0-9]*' "$dir/relay.out" "$dir/relay.log" | head -1)
}

# behind HOST N KIND: a host in 192.168.N.0/24 behind a router of a kind with the address 5.6.7.1N.
behind() {
	local h=$1 n=$2
	switch "in$n"
	space "r$n"
	plug "r$n" lan0 "in$n" "192.168.$n.1/24"
	plug "r$n" wan0 net "5.6.7.1$n/24"
	router "r$n" "$3"
	space "$h"
	plug "$h" eth0 "in$n" "192.168.$n.10/24"
	within "$h" ip route add default via "192.168.$n.1"
	person "$h"
}

internet() {
	switch net
	space relay
	plug relay eth0 net 5.6.7.1/24
	relay
}

reservation() { on "$1" --json id --no-invite | grep -q p2p-circuit; }
direct() { [ "$(path "$1" "$2")" = direct ]; }

#: nat [LEFT [RIGHT]]    (c) two NATs (cone or symmetric) and a relay: a case arrives; was a hole punched?
scenario_nat() {
	local left=${1:-cone} right=${2:-cone} s c how
	internet
	behind clinic 1 "$left"
	behind reader 2 "$right"
	s=$(study clinic 4 20)
	launch clinic --relay "$relay_addr"
	launch reader --relay "$relay_addr"
	ready clinic reader
	mark=$(now)
	await 30 "a place at the relay for both" eval 'reservation clinic && reservation reader'
	mark=$(now)
	on clinic contact add "$(on reader --json id | field invite)" --timeout 20s >/dev/null 2>&1
	await 30 "clinic and reader connected" both clinic reader
	how=$(path clinic reader)
	c=$(on clinic --json request --study "$s" --to reader --identified --question "?" 2>/dev/null | field case)
	[ -n "$c" ] || fail "the request is refused"
	complete reader "$c"
	result "$left - $right: connected ($how), 20 images there $(printf '%.1f' "$(($(now) - mark))e-3") s after the invite was used"
	says reader "$c" "thank-you"
	await 20 "the answer" reads clinic "$c" thank-you
	for ((i = 0; i < 100; i++)); do
		! direct clinic reader || ! direct reader clinic || break
		sleep 0.3
	done
	if direct clinic reader && direct reader clinic; then
		result "$left - $right: hole punched, path direct $(printf '%.1f' "$(($(now) - mark))e-3") s after the invite was used"
	else
		result "$left - $right: NOT punched within 30 s, path $(path clinic reader)"
	fi
	says clinic "$c" "over-it"
	await 20 "a message over the last path" reads reader "$c" over-it
}
