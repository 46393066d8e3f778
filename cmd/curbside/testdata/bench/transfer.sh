#!/usr/bin/env bash
# transfer.sh: the whole program against rsync over ssh and against tar | zstd -3 | age | nc, on loopback.
#
#   cmd/curbside/testdata/bench/transfer.sh [-n ROUNDS] [-d FOLDER] [-b CURBSIDE] [-k]
#
#   -n  rounds (5); the tools take turns within each round
#   -d  a folder with the DICOM files of one study; without it, 300 slices of the generated CT, which packs worse
#       than most scanners' (2.6:1)
#   -b  the binary (otherwise it is built)
#   -k  keep the working folder
#
# What is timed:
#   curbside   from `curbside request` on home A to the return of `curbside case wait --for complete` on a new home B:
#              two `curbside serve` processes, real sockets. All blobs are verified and fsynced on B by then. The
#              sender's node took the files in before; that import is timed once and printed, with its CPU.
#   rsync      rsync -rt over ssh to an sshd on 127.0.0.1 with keys of its own, ssh's handshake included
#   rsync_mux  the same over an ssh connection that is open already, as curbside's is
#   zstd_age   tar | zstd -3 | age | nc -> nc | age -d | zstd -d | tar; neither it nor rsync fsyncs
# Nobody reads the disk: all files are in the page cache. A row counts only if every file on the other side has its
# SHA-256 (curbside: after `study export`, which is not timed). CPU is user and system of both ends.
# Seconds of one day are not those of another: compare the ratios. Needs rsync, sshd, age, zstd, nc, python3.
set -u
cd "$(dirname "$0")/../../../.." || exit 1
ROUNDS=5 DATA='' BIN='' KEEP=''
while getopts n:d:b:k o; do
	case $o in
	n) ROUNDS=$OPTARG ;; d) DATA=$(cd "$OPTARG" && pwd) || exit 1 ;; b) BIN=$(realpath "$OPTARG") ;; k) KEEP=1 ;;
	*) exit 2 ;;
	esac
done
SSHD=$(command -v sshd || echo /usr/sbin/sshd)
for tool in rsync ssh ssh-keygen "$SSHD" age age-keygen zstd nc python3; do
	command -v "$tool" >/dev/null || { echo "transfer: $tool is not installed" >&2; exit 1; }
done

W=$(mktemp -d "${TMPDIR:-/tmp}/curbside-bench.XXXXXX")
PIDS=()
finish() {
	for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done
	wait 2>/dev/null
	if [ -n "$KEEP" ]; then echo "kept: $W"; else rm -rf "$W"; fi
}
trap finish EXIT

[ -n "$BIN" ] || { BIN=$W/curbside; go build -o "$BIN" ./cmd/curbside || exit 1; }
[ -n "$DATA" ] || { DATA=$W/data; go run ./cmd/curbside/testdata/bench/phantom "$DATA" || exit 1; }
cb() { timeout 300 "$BIN" "$@"; }
json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
now() { echo "$EPOCHREALTIME"; }
calc() { awk "BEGIN{printf \"%.3f\", $1}"; }
hashes() { find "$1" -type f -exec sha256sum {} + | cut -c1-64 | sort; }
port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
# CPU seconds of this script's children that have ended, and of processes that live on
ended() { awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /,""); printf "%.3f", ($14+$15)/hz}' "/proc/$$/stat"; }
alive() { local s=0 p; for p in "$@"; do s=$(awk -v s="$s" -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /,""); printf "%.3f", s+($12+$13)/hz}' "/proc/$p/stat"); done; echo "$s"; }
until_port() { for _ in $(seq 100); do ss -ltn "sport = :$1" 2>/dev/null | grep -q "$1" && return; sleep .05; done; echo "transfer: nothing listens on $1" >&2; exit 1; }
result() { # name seconds cpu folder
	local ok=ok
	[ "$(hashes "$4")" = "$WANT" ] || ok=WRONG
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$ok" | tee -a "$W/results.tsv"
	rm -rf "$4"
}

serve() { # home -> SERVED, its pid
	"$BIN" --home "$1" serve --listen 127.0.0.1:0 >"$1.log" 2>&1 &
	SERVED=$!
	PIDS+=("$SERVED")
	for _ in $(seq 200); do grep -q ready "$1.log" && return; sleep .05; done
	echo "transfer: no node in $1" >&2
	exit 1
}

tx_curbside() { # round
	local b=$W/b$1 invite case t cpu
	cb --home "$b" init --name "Dr B" --no-passphrase --words-file "$b.words" >/dev/null 2>&1 || exit 1
	serve "$b"
	invite=$(cb --home "$b" id --json | json 'd["invite"]')
	cb --home "$W/a" contact add "$invite" --json >"$W/contact.json" || exit 1
	local person
	person=$(json 'd["person"]' <"$W/contact.json")
	cpu=$(calc "-$(ended)-$(alive "$A" "$SERVED")")
	t=$(now)
	cb --home "$W/a" request --study "$STUDY" --to "$person" --question "Nodule?" --identified --json >"$W/case.json" || exit 1
	case=$(json 'd["case"]' <"$W/case.json")
	cb --home "$b" case wait "$case" --for complete --timeout 200s --json >"$W/wait.json" || exit 1
	t=$(calc "$(now)-$t")
	cpu=$(calc "$cpu+$(ended)+$(alive "$A" "$SERVED")")
	cb --home "$b" study export "$STUDY" --out "$W/out" >/dev/null || exit 1
	result curbside "$t" "$cpu" "$W/out"
	kill "$SERVED"; wait "$SERVED" 2>/dev/null
	rm -rf "$b"
}

start_sshd() {
	[ -f "$W/key" ] || { ssh-keygen -q -t ed25519 -N '' -f "$W/key"; ssh-keygen -q -t ed25519 -N '' -f "$W/hostkey"; }
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd # sshd asks for it
	SSHPORT=$(port)
	"$SSHD" -D -e -f /dev/null -p "$SSHPORT" -h "$W/hostkey" -o ListenAddress=127.0.0.1 -o StrictModes=no \
		-o AuthorizedKeysFile="$W/key.pub" -o PidFile=none -o PermitRootLogin=yes -o UsePAM=yes 2>"$W/sshd.log" &
	SSHD_PID=$!
	PIDS+=("$SSHD_PID")
	until_port "$SSHPORT"
	SSHCMD="ssh -F none -p $SSHPORT -i $W/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=$W/known -o LogLevel=ERROR"
}
stop_sshd() { kill "$SSHD_PID"; wait "$SSHD_PID" 2>/dev/null; }

tx_rsync() {
	local t cpu
	start_sshd
	mkdir "$W/out"
	cpu=$(ended)
	t=$(now)
	rsync -rt -e "$SSHCMD" "$DATA/" "127.0.0.1:$W/out/" || exit 1
	t=$(calc "$(now)-$t")
	sleep .2 # as below
	stop_sshd
	result rsync "$t" "$(calc "$(ended)-$cpu")" "$W/out"
}

tx_rsync_mux() {
	local t cpu
	start_sshd
	mkdir "$W/out"
	$SSHCMD -M -S "$W/mux" -N 127.0.0.1 &
	local master=$!
	for _ in $(seq 100); do $SSHCMD -S "$W/mux" -O check 127.0.0.1 2>/dev/null && break; sleep .05; done
	cpu=$(ended)
	t=$(now)
	rsync -rt -e "$SSHCMD -S $W/mux" "$DATA/" "127.0.0.1:$W/out/" || exit 1
	t=$(calc "$(now)-$t")
	$SSHCMD -S "$W/mux" -O exit 127.0.0.1 2>/dev/null
	wait "$master" 2>/dev/null
	sleep .2 # sshd gathers its children, so that their CPU counts
	stop_sshd
	result rsync_mux "$t" "$(calc "$(ended)-$cpu")" "$W/out"
}

tx_zstd_age() {
	local t cpu p rx
	[ -f "$W/age.key" ] || { age-keygen -o "$W/age.key" 2>/dev/null; age-keygen -y "$W/age.key" >"$W/age.pub"; }
	mkdir "$W/out"
	p=$(port)
	cpu=$(ended)
	{ nc -l -p "$p" -s 127.0.0.1 | age -d -i "$W/age.key" | zstd -dq | tar xf - -C "$W/out"; } &
	rx=$!
	until_port "$p"
	t=$(now)
	tar cf - -C "$DATA" . | zstd -q -3 -T1 | age -r "$(cat "$W/age.pub")" | nc -N 127.0.0.1 "$p"
	wait "$rx"
	t=$(calc "$(now)-$t")
	result zstd_age "$t" "$(calc "$(ended)-$cpu")" "$W/out"
}

WANT=$(hashes "$DATA")
echo "data: $DATA, $(find "$DATA" -type f | wc -l) files, $(find "$DATA" -type f -printf '%s\n' | awk '{s+=$1}END{print s}') bytes; $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $(uname -sr)"
cb --home "$W/a" init --name "Clinic A" --kind clinic --no-passphrase --words-file "$W/a.words" >/dev/null 2>&1 || exit 1
t=$(now) cpu=$(ended)
cb --home "$W/a" import "$DATA" --json >"$W/import.json" || exit 1
echo "import, not counted: $(calc "$(now)-$t") s, $(calc "$(ended)-$cpu") CPU s, home $(du -sm "$W/a" | cut -f1) MB"
STUDY=$(json 'd["studies"][0]["study"]' <"$W/import.json")
serve "$W/a"
A=$SERVED

printf 'tool\tseconds\tcpu\tdata\n'
for r in $(seq "$ROUNDS"); do
	tx_curbside "$r"
	tx_rsync
	tx_rsync_mux
	tx_zstd_age
done
python3 - "$W/results.tsv" <<'PY'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, s, cpu, ok = line.split()
    if ok == "ok":
        rows.setdefault(name, []).append((float(s), float(cpu)))
own = rows.get("curbside")
if not own:
    sys.exit("no curbside row counts")
med = lambda xs: statistics.median(xs)
print("%-10s %3s %7s %7s %7s %7s   %s" % ("tool", "n", "median", "min", "max", "CPU", "time, CPU and best time as multiples of curbside's"))
for name, xs in rows.items():
    s, c = [x[0] for x in xs], [x[1] for x in xs]
    print("%-10s %3d %7.2f %7.2f %7.2f %7.2f   %.2f  %.2f  %.2f" % (
        name, len(xs), med(s), min(s), max(s), med(c),
        med(s) / med([x[0] for x in own]), med(c) / med([x[1] for x in own]), min(s) / min(x[0] for x in own)))
PY
echo "load at the end: $(cut -d' ' -f1-3 /proc/loadavg)"
! grep -q WRONG "$W/results.tsv"
