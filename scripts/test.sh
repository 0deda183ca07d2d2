#!/bin/sh
# All tests, on SQLite and on PostgreSQL. What could not be compared with anything is said at the end, where it is read.
set -eu

here=$(dirname "$0")
tell() {
    if [ ! -d "${VENDOR_SPECS:-$here/../../shared/specs}" ]; then
        echo "skipped: nothing was compared with the vendors' published contracts; VENDOR_SPECS names no folder of them" >&2
    fi
}
trap tell EXIT
"$here/with-postgres.sh" cargo test --locked --workspace "$@"
