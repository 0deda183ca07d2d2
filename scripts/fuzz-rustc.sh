#!/bin/sh
# What cargo calls for the crates of this workspace when it builds fuzz targets: rustc, with libFuzzer's instrumentation.
set -eu
rustc=$1
shift
case " $* " in
*" --crate-name build_script_build "* | *" --crate-type proc-macro "*) exec "$rustc" "$@" ;;
esac
exec "$rustc" "$@" \
    -C passes=sancov-module -C codegen-units=1 \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares
