#!/bin/sh
# A private PostgreSQL for tests: `scripts/postgres.sh start` prints its address, `stop` removes it with its data.
#
#   export TEST_POSTGRES_URL=$(scripts/postgres.sh start)
#   cargo test
#   scripts/postgres.sh stop
#
# `halt` ends it at once, as a power cut would, and keeps its data; `resume` starts it again at the same address.
# It runs from the system's binaries on loopback and a Unix socket, as an ordinary user, with fsync on as in production.
# POSTGRES_TEST_DIR names where it lives (default: a folder under TMPDIR that belongs to the current user).
set -eu

dir=${POSTGRES_TEST_DIR:-${TMPDIR:-/tmp}/enterprise-mcp-postgres.$(id -u)}

main() {
    case "${1:-}" in
        start) start ;;
        stop) stop ;;
        url) url ;;
        halt) halt ;;
        resume) resume ;;
        *) echo "usage: $0 start|stop|url|halt|resume" >&2; exit 2 ;;
    esac
}

start() {
    find_binaries
    if is_running; then
        url
        return
    fi
    rm -rf "$dir"
    mkdir -m 700 "$dir"
    give_to_owner "$dir"
    as_owner "$bin/initdb" -D "$dir/data" -U test -A trust -E UTF8 --locale=C.UTF-8 --no-instructions >"$dir.log" 2>&1 ||
        fail "initdb failed"
    # Another process may take the port between our look and the start; then the next one is tried.
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        launch "$port" && break
        [ "$attempt" = 5 ] && fail "the server did not start"
        sleep 1
    done
    echo "$port" >"$dir/port"
    url
}

launch() {
    as_owner "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" \
        -o "-p $1 -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c max_connections=200" \
        start >>"$dir.log" 2>&1
}

halt() {
    find_binaries
    as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >&2
}

resume() {
    find_binaries
    launch "$(cat "$dir/port")" || fail "the server did not start again"
}

stop() {
    find_binaries
    if is_running; then
        as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >&2
    fi
    rm -rf "$dir" "$dir.log"
}

url() {
    [ -f "$dir/port" ] || fail "no server was started"
    echo "postgres://test@127.0.0.1:$(cat "$dir/port")/postgres"
}

is_running() {
    [ -f "$dir/port" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1
}

# The newest version that is installed; Debian keeps the server's programs outside of PATH.
find_binaries() {
    bin=
    for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -V -r) $(path_folder); do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ]; then
            bin=$candidate
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -z "${tried_apt:-}" ]; then
        tried_apt=yes
        echo "installing postgresql" >&2
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; } >&2 ||
            fail "postgresql could not be installed"
        find_binaries
        return
    fi
    fail "initdb and pg_ctl were not found: install postgresql 15 or later"
}

path_folder() {
    found=$(command -v initdb) && dirname "$found"
    return 0
}

# PostgreSQL refuses to run as root.
owner() {
    if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

give_to_owner() {
    [ "$(id -u)" = 0 ] || return 0
    chown "$(owner)" "$1"
}

as_owner() {
    if [ "$(id -u)" != 0 ]; then
        (cd / && "$@")
    elif command -v setpriv >/dev/null; then
        (cd / && setpriv --reuid="$(owner)" --regid="$(id -g "$(owner)")" --clear-groups env HOME=/ "$@")
    else
        (cd / && runuser -u "$(owner)" -- "$@")
    fi
}

# A port that nobody listens on: the kernel lists listeners as hexadecimal ports in state 0A.
free_port() {
    port=$((20000 + $$ % 20000))
    while grep -qi "$(printf ':%04X [0-9A-F]*:0000 0A' "$port")" /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

fail() {
    echo "$0: $1" >&2
    for log in "$dir.log" "$dir/log"; do
        [ -f "$log" ] && tail -n 20 "$log" >&2
    done
    exit 1
}

main "$@"
