#!/bin/sh
# Runs a command with TEST_POSTGRES_URL set: as it is, where it is set already; otherwise to a private
# server that ends with the command. Where none can be had, the command runs on SQLite alone and says so.
set -eu

here=$(dirname "$0")
if [ -z "${TEST_POSTGRES_URL:-}" ]; then
    POSTGRES_TEST_DIR=${POSTGRES_TEST_DIR:-${TMPDIR:-/tmp}/enterprise-mcp-postgres.$$}
    export POSTGRES_TEST_DIR
    if TEST_POSTGRES_URL=$("$here/postgres.sh" start); then
        export TEST_POSTGRES_URL
        trap '"$here/postgres.sh" stop' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
    else
        unset TEST_POSTGRES_URL
        echo "skipped on PostgreSQL: no PostgreSQL server could be found or installed" >&2
    fi
fi
"$@"
