# shellcheck shell=bash
# Sender and recipient that are never up at the same time.

# left HOME CASE: nothing of a case waits in the sender's node any more; the mailbox has it.
left() { on clinic --json transfers | grep -q 'mailbox'; }

#: mailbox [SECONDS]     (d) the sender goes down after the deposit, the recipient comes up later, gets all from the mailbox
scenario_mailbox() {
	local away=${1:-5} s c n i=0
	internet
	for n in clinic reader; do
		i=$((i + 1))
		space "$n"
		person "$n"
		plug "$n" eth0 net "5.6.7.2$i/24"
	done
	s=$(study clinic 5 12)
	launch clinic --relay "$relay_addr" --mailbox-studies
	launch reader --relay "$relay_addr" --mailbox-studies
	ready clinic reader
	await 30 "a place at the relay for both" eval 'reservation clinic && reservation reader'
	on clinic contact add "$(on reader --json id | field invite)" --timeout 20s >/dev/null 2>&1
	await 30 "clinic and reader connected" both clinic reader
	sleep 8 # cards with their mailboxes cross
	halt reader
	c=$(on clinic --json request --study "$s" --to reader --identified --question "Wait for me?" 2>/dev/null | field case)
	[ -n "$c" ] || fail "the request is refused"
	mark=$(now)
	await 60 "the deposit" left
	on clinic transfers || true
	sleep 5
	halt clinic
	say "the sender's host is down; the recipient is away for another $away s"
	ip -n "$(ns clinic)" link set eth0 down
	sleep "$away"
	launch reader --relay "$relay_addr" --mailbox-studies
	ready reader
	mark=$(now)
	await 60 "the request at the recipient" eval "on reader --json case list | grep -q 'Wait for me'"
	complete reader "$c" 60
	result "with the sender's host down the recipient has the request and all 12 images $(printf '%.1f' "$(($(now) - mark))e-3") s after it came up"
	says reader "$c" "answer-to-nobody"
	await 60 "an answer left for the sender" eval "on reader --json transfers | grep -q mailbox || sleep 5"
	halt reader
	ip -n "$(ns clinic)" link set eth0 up
	launch clinic --relay "$relay_addr" --mailbox-studies
	ready clinic
	mark=$(now)
	await 60 "the answer at the sender, the recipient being down" reads clinic "$c" answer-to-nobody
	result "and the answer was there $(printf '%.1f' "$(($(now) - mark))e-3") s after the sender came back"
}
