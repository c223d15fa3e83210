#!/bin/bash
# What telemetry costs the server: CPU time a message with it and under OTEL_SDK_DISABLED=true, in turns, under several loads.
# Usage: server/cost.sh [rounds [seconds [binary ...]]]
# Each further binary, of an earlier version for example, is measured beside. Needs curl.
set -euo pipefail
binaries=()
for b in "${@:3}"; do binaries+=("$(realpath "$b")"); done
cd "$(dirname "$0")/.."
rounds=${1:-3} seconds=${2:-20}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
go build -o "$work/imserver" ./cmd/imserver
go build -o "$work/imload" ./cmd/imload

# run <binary> <disabled> <mode> <users> <rate> prints the CPU time of a message in µs. The server has a database of its own, and is scraped as
# Prometheus does it, every 5 seconds.
run() {
	local dir port=$((20000 + RANDOM % 10000)) server scraper result
	dir=$(mktemp -d "$work/data.XXXX")
	(cd "$dir" && OTEL_SDK_DISABLED=$2 exec "$1" --addr "127.0.0.1:$port" >log 2>&1) &
	server=$!
	until curl -sf "http://127.0.0.1:$port/readyz" >"$dir/ready"; do sleep 0.1; done
	(while sleep 5; do curl -s --compressed "http://127.0.0.1:$port/metrics" >"$dir/page" || true; done) &
	scraper=$!
	# The server's limits refuse some at the highest rate: imload then exits with 1.
	result=$("$work/imload" -url "http://127.0.0.1:$port" -mode "$3" -users "$4" -rate "$5" -duration "${seconds}s" -pid $server -json 2>"$dir/errors" || true)
	kill $scraper $server
	wait $scraper $server 2>/dev/null || true
	awk -v r="$result" 'BEGIN {
		match(r, /"acked":[0-9]+/); n = substr(r, RSTART + 8, RLENGTH - 8)
		match(r, /"server_cpu_seconds":[0-9.]+/); s = substr(r, RSTART + 21, RLENGTH - 21)
		printf "%.1f\n", n ? s / n * 1e6 : 0 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

printf '%-18s %-14s %12s %10s\n' load "" "µs/message" ratio
# One sends 40 a second to a group of 500; 100 users send 500 a second to each other, and as many as they may.
for load in "group 500 40" "pairs 100 500" "pairs 100 20000"; do
	names=(disabled enabled "${binaries[@]}")
	for ((i = 0; i < rounds; i++)); do
		for name in "${names[@]}"; do
			case $name in
			disabled) run "$work/imserver" true $load ;;
			enabled) run "$work/imserver" false $load ;;
			*) run "$name" false $load ;;
			esac >>"$work/${load// /-}.${name//\//_}"
		done
	done
	base=$(median <"$work/${load// /-}.disabled")
	for name in "${names[@]}"; do
		cost=$(median <"$work/${load// /-}.${name//\//_}")
		awk -v run="$load" -v name="$name" -v cost="$cost" -v base="$base" 'BEGIN { printf "%-18s %-14s %12.1f %10.3f\n", run, name, cost, cost / base }'
	done
done
