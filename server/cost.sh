#!/bin/bash
# What telemetry costs the server: CPU time a message with it and under OTEL_SDK_DISABLED=true, in turns, at several rates.
# Usage: server/cost.sh [rounds [seconds [binary ...]]]
# Each further binary, of an earlier version for example, is measured beside. Needs curl.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} seconds=${2:-20}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
go build -o "$work/imserver" ./cmd/imserver
go build -o "$work/imload" ./cmd/imload

# run <binary> <disabled> <rate> prints the CPU time of a message in µs. The server has a database of its own, and is scraped as
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
	result=$("$work/imload" -url "http://127.0.0.1:$port" -mode pairs -users 100 -rate "$3" -duration "${seconds}s" -pid $server -json 2>"$dir/errors" || true)
	kill $scraper $server
	wait $scraper $server 2>/dev/null || true
	awk -v r="$result" 'BEGIN {
		match(r, /"acked":[0-9]+/); n = substr(r, RSTART + 8, RLENGTH - 8)
		match(r, /"server_cpu_seconds":[0-9.]+/); s = substr(r, RSTART + 21, RLENGTH - 21)
		printf "%.1f\n", s / n * 1e6 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

printf '%-10s %-14s %12s %10s\n' msg/s "" "µs/message" ratio
for rate in 40 500 20000; do
	names=(disabled enabled "${@:3}")
	for ((i = 0; i < rounds; i++)); do
		for name in "${names[@]}"; do
			case $name in
			disabled) run "$work/imserver" true $rate ;;
			enabled) run "$work/imserver" false $rate ;;
			*) run "$name" false $rate ;;
			esac >>"$work/$rate.${name//\//_}"
		done
	done
	base=$(median <"$work/$rate.disabled")
	for name in "${names[@]}"; do
		cost=$(median <"$work/$rate.${name//\//_}")
		awk -v rate=$rate -v name="$name" -v cost="$cost" -v base="$base" 'BEGIN { printf "%-10s %-14s %12.1f %10.3f\n", rate, name, cost, cost / base }'
	done
done
