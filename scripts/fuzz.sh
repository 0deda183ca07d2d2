#!/usr/bin/env bash
# Fuzz targets on libFuzzer: scripts/fuzz.sh [SECONDS] [TARGET…]. What was found worth keeping stands in fuzz/corpus.
# Only our own crates are instrumented, so that everything else is taken from the ordinary target folder.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -eq 0 ] && targets=(mcp_frame request_state oauth webhook policy_expression search_grammar)

export RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh
cargo build --locked --package enterprise-mcp-fuzz --bins
folder=$(cargo metadata --format-version 1 --no-deps --offline | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for target in "${targets[@]}"; do
    mkdir -p "$work/$target" "fuzz/corpus/$target"
    if "$folder/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
        -artifact_prefix="$work/" "$work/$target" "fuzz/corpus/$target" >"$work/$target.log" 2>&1; then
        echo "ok      $target: $(grep -o 'stat::number_of_executed_units: *[0-9]*\|Done [0-9]* runs' "$work/$target.log" | tail -1)"
    else
        echo "FAILED  $target"
        tail -40 "$work/$target.log"
        for crash in "$work"/crash-* "$work"/timeout-* "$work"/oom-*; do
            [ -f "$crash" ] && echo "input (base64): $(base64 -w0 "$crash" | head -c 4000)"
        done
        status=1
    fi
done
exit $status
