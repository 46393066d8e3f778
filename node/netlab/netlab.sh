#!/usr/bin/env bash
# The real program on networks that exist only here: hosts are network namespaces, cables are veth
# pairs, switches are bridges, routers masquerade. No host has a way out of its run.
#
#   netlab.sh SCENARIO [ARG]...      `netlab.sh list` says which there are
#   CURBSIDE=/path CURBSIDE_RELAY=/path   the programs; else those in PATH
#   KEEP=1                           leaves the homes and logs behind
#
# Root, Linux, iproute2 and nft. Each run has names of its own, so several may run at once; whatever
# ends it, its processes and namespaces are gone afterwards. A result line begins with RESULT; the
# last line of a scenario that held is "ok SCENARIO (SECONDS s)".
set -euo pipefail
export LC_ALL=C

curbside=${CURBSIDE:-curbside}
relay_program=${CURBSIDE_RELAY:-curbside-relay}
id=nl$$x$((RANDOM % 1000))
dir=$(mktemp -d /tmp/netlab-XXXXXX)
declare -A pid home_of
spaces=()
scenario=
cables=0

now() { date +%s%3N; }
begun=$(now)
say() { printf '%6.1f  %s\n' "$(($(now) - begun))e-3" "$*"; }
result() { printf 'RESULT %s: %s\n' "$scenario" "$*"; }
fail() {
	say "FAILED: $*" >&2
	for f in "$dir"/*.log; do [ -e "$f" ] && { echo "--- $f"; tail -5 "$f"; } >&2; done
	exit 1
}
cleanup() {
	local p s
	trap '' INT TERM
	for p in "${pid[@]}"; do kill -9 "$p" 2>/dev/null || true; done
	for p in "${pid[@]}"; do while kill -0 "$p" 2>/dev/null; do sleep 0.05; done; done
	for s in "${spaces[@]}"; do ip netns del "$s" 2>/dev/null || true; done
	[ -n "${KEEP:-}" ] && echo "kept: $dir" || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- networks

ns() { echo "$id-$1"; }
within() { local h=$1; shift; ip netns exec "$(ns "$h")" "$@"; }
# space NAME: a host with loopback up and nothing else.
space() {
	ip netns add "$(ns "$1")"
	spaces+=("$(ns "$1")")
	ip -n "$(ns "$1")" link set lo up
}
# switch NAME: a bridge, in the namespace "sw" that all switches share.
switch() {
	ip netns list | grep -q "^$(ns sw)\b" || space sw
	ip -n "$(ns sw)" link add "$1" type bridge mcast_snooping 0
	ip -n "$(ns sw)" link set "$1" up
}
# plug HOST INTERFACE SWITCH [ADDRESS/BITS]: a cable from a host to a switch.
plug() {
	local h=$1 dev=$2 sw=$3 addr=${4:-} port
	cables=$((cables + 1))
	port=p$cables
	ip link add "$dev" netns "$(ns "$h")" type veth peer name "$port" netns "$(ns sw)"
	ip -n "$(ns sw)" link set "$port" master "$sw"
	ip -n "$(ns sw)" link set "$port" up
	[ -z "$addr" ] || ip -n "$(ns "$h")" addr add "$addr" dev "$dev"
	ip -n "$(ns "$h")" link set "$dev" up
	echo "$port" >"$dir/port.$h.$dev"
}
# cable HOST INTERFACE up|down: at the switch, so that the host's interface stays and loses its carrier.
cable() { ip -n "$(ns sw)" link set "$(cat "$dir/port.$1.$2")" "$3"; }
# no_multicast SWITCH: what many hospital switches do.
no_multicast() {
	local p
	for p in $(ip -n "$(ns sw)" -o link show master "$1" | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do
		ip netns exec "$(ns sw)" bridge link set dev "$p" mcast_flood off
	done
}
# router NAME cone|symmetric: lan0 inside, wan0 outside; plug both before.
router() {
	local how=
	[ "$2" = cone ] || how=' fully-random'
	within "$1" sysctl -qw net.ipv4.ip_forward=1
	within "$1" nft "table ip nat { chain post { type nat hook postrouting priority 100; oifname wan0 masquerade$how; }; }
		table ip filter { chain through { type filter hook forward priority 0; iifname wan0 ct state established,related accept; iifname wan0 drop; }
		# As home routers do, and unlike a host: nothing is answered, or the first packet of a punch would be refused.
		chain in { type filter hook input priority 0; iifname wan0 ct state established,related accept; iifname wan0 drop; }; }"
}

# --- nodes

on() { local n=$1; shift; "$curbside" --home "$dir/$n" "$@"; }
# field NAME: the first text of that name in JSON.
field() { grep -o "\"$1\":\"[^\"]*\"" | head -1 | cut -d'"' -f4; }
person() { on "$1" --json init --name "$1" --no-passphrase 2>/dev/null | field person >"$dir/$1.person"; }
# run_within HOST COMMAND...: in the background, its pid in pid[HOST], what it says in HOST.log.
run_within() {
	local h=$1; shift
	# Not through a function: it would be the pid of a subshell, whose end its child survives.
	ip netns exec "$(ns "$h")" "$@" >"$dir/$h.out" 2>"$dir/$h.log" &
	pid[$h]=$!
	disown # or the shell would report each end
}
gone() { while kill -0 "${pid[$1]}" 2>/dev/null; do sleep 0.05; done; unset "pid[$1]"; }
# launch starts a node, ready waits until nodes answer, serve does both.
launch() {
	local n=$1; shift
	run_within "$n" "$curbside" --home "$dir/$n" serve "$@"
}
ready() {
	local n until
	until=$(($(now) + 60000))
	for n in "$@"; do
		until grep -qs "^ready$" "$dir/$n.log"; do
			[ "$(now)" -lt "$until" ] || fail "$n is not ready"; sleep 0.05
		done
	done
}
serve() { launch "$@"; ready "$1"; }
halt() { kill "${pid[$1]}"; gone "$1"; }
crash() { kill -9 "${pid[$1]}"; gone "$1"; }
# befriend A B: contacts by file, so that no address is in anything.
befriend() {
	local f=$dir/$1-$2
	on "$2" contact add "$(on "$1" --json id | field invite)" --out "$f.join" >/dev/null 2>&1
	on "$1" contact add "$f.join" --out "$f.accept" >/dev/null 2>&1
	on "$2" contact add "$f.accept" >/dev/null 2>&1
}
# path A B: how A reaches B now.
path() { on "$1" --json peers | tr '{' '\n' | grep "\"name\":\"$2\"" | field path; }
# await SECONDS WHAT COMMAND...: until the command succeeds; says how long it took since $mark.
mark=$begun
await() {
	local until=$(($(now) + $1 * 1000)) what=$2; shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(now)" -lt "$until" ] || fail "no $what within the time"
		sleep 0.2
	done
	say "$what after $(printf '%.1f' "$(($(now) - mark))e-3") s"
}
reaches() { local p; p=$(path "$1" "$2"); [ -n "$p" ] && { [ -n "${3:-}" ] && [ "$p" = "$3" ] || [ -z "${3:-}" ] && [ "$p" != none ]; }; }
both() { reaches "$1" "$2" "${3:-}" && reaches "$2" "$1" "${3:-}"; }
all_reach() { local a b; for a in "$@"; do for b in "$@"; do [ "$a" = "$b" ] || reaches "$a" "$b" || return 1; done; done; }
# study HOST SEED [SLICES [SIDE]]: a CT made in code, imported by a node; its id.
study() {
	[ -d "$dir/ct$2" ] || "$dir/phantom" "$dir/ct$2" "${3:-8}" "${4:-128}" "$2" >/dev/null
	on "$1" --json import "$dir/ct$2" 2>/dev/null | field study
}
complete() { on "$1" --json case wait "$2" --for complete --timeout "${3:-60}s" >/dev/null 2>&1 || fail "$1 does not get the study"; }
waits() { on "$1" --json case wait "$2" --for "$3" --timeout "${4:-60}s" >/dev/null 2>&1 || fail "$1 does not get $3"; }
hash() { on "$1" --json case history "$2" 2>/dev/null | field state_hash; }
agree() { local c=$1 want n; shift; want=$(hash "$1" "$c"); [ -n "$want" ] || return 1; for n in "$@"; do [ "$(hash "$n" "$c")" = "$want" ] || return 1; done; }
says() { on "$1" --json case reply "$2" --text "$3" >/dev/null 2>&1 || fail "$1 cannot reply"; }
reads() { on "$1" --json case show "$2" 2>/dev/null | grep -q "$3"; }

# group CASE-STUDY CLINIC CHAIR ANNA BEN OBSERVER: asks, invites, answers, reports, closes.
group() {
	local s=$1 clinic=$2 chair=$3 anna=$4 ben=$5 observer=$6 c n
	c=$(on "$clinic" --json request --study "$s" --to "$anna" --to "$ben" --identified --question "Biopsy or follow-up?" 2>/dev/null | field case)
	[ -n "$c" ] || fail "the request is refused"
	on "$clinic" --json case invite "$c" --to "$chair" --role coordinator >/dev/null
	on "$clinic" --json case invite "$c" --to "$observer" --role observer >/dev/null
	for n in "$chair" "$anna" "$ben" "$observer"; do complete "$n" "$c"; done
	says "$chair" "$c" "chair-here"
	says "$ben" "$c" "ben-here"
	waits "$anna" "$c" entry:message
	on "$anna" --json case report "$c" --text "Follow-up in three months." >/dev/null 2>&1
	on "$anna" --json case sign "$c" >/dev/null 2>&1 || fail "anna cannot sign"
	waits "$clinic" "$c" report
	on "$clinic" --json case acknowledge "$c" --action "CT booked" >/dev/null
	on "$clinic" --json case close "$c" >/dev/null
	for n in "$chair" "$anna" "$ben" "$observer"; do waits "$n" "$c" state:closed; done
	await 60 "the same state at all five" agree "$c" "$clinic" "$chair" "$anna" "$ben" "$observer"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for f in "$here"/scenarios/*.sh; do
	# shellcheck source=/dev/null
	. "$f"
done

list() {
	local f
	for f in "$here"/scenarios/*.sh; do sed -n 's/^#: /  /p' "$f"; done
}

main() {
	scenario=${1:-list}
	case $scenario in list | -h | --help) list; exit 0 ;; esac
	declare -F "scenario_$scenario" >/dev/null || { echo "no such scenario: $scenario" >&2; list >&2; exit 2; }
	[ "$(id -u)" = 0 ] || { echo "SKIP root is needed for network namespaces" >&2; exit 77; }
	ip netns add "$id-probe" 2>/dev/null && ip netns del "$id-probe" || { echo "SKIP this kernel makes no network namespaces" >&2; exit 77; }
	command -v "$curbside" >/dev/null || { echo "no such program: $curbside" >&2; exit 2; }
	if [ -n "${PHANTOM:-}" ]; then cp "$PHANTOM" "$dir/phantom"; else
		(cd "$here/../.." && go build -o "$dir/phantom" ./cmd/curbside/testdata/bench/phantom)
	fi
	shift
	"scenario_$scenario" "$@"
	say "done"
	printf 'ok %s (%s s)\n' "$scenario" "$((($(now) - begun) / 1000))"
}
main "$@"
