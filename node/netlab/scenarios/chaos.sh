# shellcheck shell=bash
# Links cut and healed at random.

#: chaos [SECS [SEED]]   (e) links cut and healed at random (default 40 s): every case completes
scenario_chaos() {
	local seconds=${1:-40} seed=${2:-$RANDOM} hosts=(ann bob cem dee) n i=0 until cases=() c s k h other down=0
	declare -A cut
	RANDOM=$seed
	result "seed $seed, $seconds s"
	switch lan
	for n in "${hosts[@]}"; do
		i=$((i + 1))
		space "$n"
		person "$n"
		plug "$n" eth0 lan "10.75.0.$i/24"
	done
	for n in bob cem dee; do befriend ann "$n"; done
	befriend bob cem
	for n in "${hosts[@]}"; do launch "$n"; done
	ready "${hosts[@]}"
	await 20 "ann reaches all" eval 'both ann bob && both ann cem && both ann dee'
	until=$(($(now) + seconds * 1000))
	i=0
	while [ "$(now)" -lt "$until" ]; do
		# A case now and then, and in each a word from somebody.
		if ((i % 12 == 0 && i < 120)); then
			s=$(study ann $((100 + i)) 10 96)
			c=$(on ann --json request --study "$s" --to bob --to cem --to dee --identified --question "case $i?" 2>/dev/null | field case)
			[ -n "$c" ] || fail "the request is refused"
			cases+=("$c")
		fi
		h=${hosts[RANDOM % 4]}
		if ((RANDOM % 3)); then
			if [ -n "${cut[$h]:-}" ]; then cable "$h" eth0 up; unset "cut[$h]"; else cable "$h" eth0 down; cut[$h]=1; down=$((down + 1)); fi
		else
			c=${cases[RANDOM % ${#cases[@]}]}
			on "$h" --json case reply "$c" --text "word-$i-$h" >/dev/null 2>&1 && echo "$c word-$i-$h" >>"$dir/words" || true
		fi
		sleep "$((RANDOM % 2)).$((RANDOM % 10))"
		i=$((i + 1))
	done
	for h in "${!cut[@]}"; do cable "$h" eth0 up; done
	mark=$(now)
	say "$down cuts, ${#cases[@]} cases, $(wc -l <"$dir/words" 2>/dev/null || echo 0) words; all links are whole"
	for c in "${cases[@]}"; do
		for n in bob cem dee; do complete "$n" "$c" 120; done
		await 120 "one state of case ${c:0:8}" agree "$c" "${hosts[@]}"
	done
	touch "$dir/words"
	while read -r c k; do
		for n in "${hosts[@]}"; do reads "$n" "$c" "$k" || fail "$n does not read $k"; done
	done <"$dir/words"
	result "$down cuts in $seconds s: all ${#cases[@]} cases complete at all four $(printf '%.1f' "$(($(now) - mark))e-3") s after the last heal, $(wc -l <"$dir/words") words read by everybody (seed $seed)"
}
