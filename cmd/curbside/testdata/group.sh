#!/bin/sh
# A group consult through the command line alone: five nodes, each a process of its own.
#
#   sh cmd/curbside/testdata/group.sh FOLDER-OF-DICOM-FILES
#
# It wants curbside in PATH and makes everything else in a folder of its own, which it removes.
# A clinic asks; a chair, two consultants and an observer are in the case. One consultant is offline
# for half of it, the other is removed half-way. Reads are sealed, opened, discussed, voted on and
# signed; in the end all who are left hold the same.
set -eu
[ $# -eq 1 ] || { echo "usage: group.sh FOLDER-OF-DICOM-FILES" >&2; exit 2; }

dir=$(mktemp -d /tmp/cs-group-XXXXXX)
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null || true; done; wait; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
fail() { say "FAILED: $*" >&2; for n in clinic chair anna ben observer; do tail -3 "$dir/$n.log" >&2 || true; done; exit 1; }
on() { n=$1; shift; curbside --home "$dir/$n" "$@"; }
# field NAME: the first value of that name in a line of JSON
field() { grep -o "\"$1\":\"[^\"]*\"" | head -1 | cut -d'"' -f4; }
refused() { if out=$(on "$@" 2>&1 >/dev/null); then fail "not refused: $*"; fi; say "refused, as it should be: $1: $(printf '%s' "$out" | head -1)"; }
waits() { on "$1" --json case wait "$case" --for "$2" --timeout 60s >/dev/null || fail "$1 does not get $2"; }
serve() {
	curbside --home "$dir/$1" serve --listen /ip4/127.0.0.1/tcp/0 2>"$dir/$1.log" &
	pids="$pids $!"
	eval "pid_$1=$!"
	i=0
	until grep -q '^ready$' "$dir/$1.log"; do
		i=$((i + 1)); [ $i -lt 300 ] || fail "$1 is not ready"; sleep 0.1
	done
}
halt() { eval "kill \$pid_$1; wait \$pid_$1" || true; }

for n in clinic chair anna ben observer; do
	on "$n" init --name "$n" --no-passphrase >/dev/null 2>&1
	serve "$n"
done
say "five nodes run"
for n in chair anna ben observer; do
	on "$n" contact add "$(on clinic --json id | field invite)" >/dev/null
done
study=$(on clinic --json import "$1" | field study)
case=$(on clinic --json request --study "$study" --to anna --to ben --blind --identified \
	--question "Lesion in the right lung: biopsy or follow-up?" 2>/dev/null | field case)
on clinic --json case invite "$case" --to chair --role coordinator >/dev/null
on clinic --json case invite "$case" --to observer --role observer >/dev/null
on clinic --json case assign "$case" --to anna --to ben --to chair >/dev/null
say "the clinic has asked, case $case"
for n in anna ben chair observer; do waits $n complete; waits $n entry:assign; done
say "all have every image"

halt anna
say "anna is offline"
refused observer case opine "$case" --text "I think it is benign."
refused observer case seal "$case" --text "I think it is benign."
refused ben case opine "$case" --text "Malignant."
on ben --json case seal "$case" --text "BENSREAD: malignant." >/dev/null 2>&1
on chair --json case seal "$case" --text "CHAIRSREAD: benign." >/dev/null 2>&1
refused chair case consensus "$case" --text "Too early."
waits chair entry:sealed-read
waits clinic entry:sealed-read
for n in clinic observer ben; do
	if on $n --json case show "$case" | grep -q CHAIRSREAD; then fail "$n reads what is sealed"; fi
done
say "ben and the chair have sealed their reads; nobody can read them"

i=0 # the seal of ben must have come before he is removed
until on chair --json case show "$case" | grep -o '"kind":"sealed-read","author":"[^"]*","author_name":"ben"' >/dev/null; do
	i=$((i + 1)); [ $i -lt 100 ] || fail "ben's seal does not come"; sleep 0.1
done
on chair --json case remove "$case" --member ben >/dev/null
on chair --json case reply "$case" --text "AFTERWARDS: ben has left us." >/dev/null
waits clinic entry:message
say "ben is removed"

serve anna
waits anna entry:message
on anna --json case seal "$case" --text "ANNASREAD: benign, follow-up." >/dev/null 2>&1
say "anna is back and has sealed hers: all are in"
for n in chair anna clinic observer; do
	i=0
	until on $n --json case agreement "$case" | grep -q '"state":"opened".*"state":"opened"'; do
		i=$((i + 1)); [ $i -lt 300 ] || fail "$n does not see the reads opened"; sleep 0.1
	done
done
on observer case agreement "$case"
on chair --json case consensus "$case" --text "Probably benign; follow-up CT in three months." >/dev/null
for n in anna clinic observer; do waits $n entry:consensus; done
refused observer case vote "$case" --choice agree
refused clinic case vote "$case" --choice agree
on anna --json case vote "$case" --choice reservation --text "Earlier if she loses weight." >/dev/null
on chair --json case vote "$case" --choice agree >/dev/null
i=0
until on chair --json case agreement "$case" | grep -q '"choice":"reservation"'; do
	i=$((i + 1)); [ $i -lt 300 ] || fail "anna's vote does not come"; sleep 0.1
done
refused anna case report "$case" --consensus --text "mine"
on chair --json case report "$case" --consensus >/dev/null 2>&1
on chair --json case sign "$case" >/dev/null 2>&1
waits clinic report
say "the consensus is signed:"
on clinic --json case show "$case" | grep -o 'Consensus of [^"]*' | head -1
on clinic --json case acknowledge "$case" --action "CT booked" >/dev/null
on clinic --json case close "$case" >/dev/null
for n in chair anna observer; do waits $n state:closed; done

hash() { on "$1" --json case history "$case" | field state_hash; }
want=$(hash clinic)
for n in chair anna observer; do
	i=0
	until [ "$(hash $n)" = "$want" ]; do
		i=$((i + 1)); [ $i -lt 300 ] || fail "$n holds something else than the clinic"; sleep 0.1
	done
done
say "clinic, chair, anna and observer hold the same: $want"
if on ben --json case show "$case" | grep -Eq 'AFTERWARDS|ANNASREAD|CHAIRSREAD|three months'; then fail "ben reads what came after he was removed"; fi
say "ben got nothing of what came after he was removed"
say done
