#!/usr/bin/env bash
# The real binary with clients that others wrote: MCP's Inspector, conformance suite and SDKs, and the
# vendors' own clients against the sandbox. Needs Rust, Node and, for a part, Python; everything else
# goes into a cache folder, in exact versions. Each check is one line; the last line counts them.
#
#   scripts/e2e.sh              everything
#   scripts/e2e.sh NAME…        only these parts: inspector stdio typescript python log_in rest conformance replicas gohighlevel
#                               quickbooks amazon cloudflare google slack godaddy audit
#   E2E_BINARY, E2E_CONFORMANCE a server that is already built, and one with the feature `conformance`
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/scripts/e2e
cache=${XDG_CACHE_HOME:-$HOME/.cache}/enterprise-mcp/e2e
work=$(mktemp -d)
running=()

end() {
    for pid in "${running[@]:-}"; do
        [ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
    done
    [ -z "${POSTGRES_TEST_DIR:-}" ] || scripts/postgres.sh stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT

results=$work/results
: >"$results"
note() { echo "$*" | tee -a "$results"; }

# Runs one program that prints a line a check. That it comes to its end is one more.
part() {
    local name=$1 before after status=0
    shift
    before=$(wc -l <"$results")
    "$@" 2>"$work/$name.err" | grep -E '^(ok|FAILED|skipped)' | tee -a "$results" || status=$?
    after=$(wc -l <"$results")
    if [ "$status" -ne 0 ] || [ "$before" -eq "$after" ]; then
        note "FAILED  $name: it ended early: $(tail -c 300 "$work/$name.err" | tr '\n' ' ')"
    fi
}

# One check: a command that succeeds.
check() {
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then note "ok      $name"; else note "FAILED  $name: $(tail -c 400 "$work/out" | tr '\n' ' ')"; fi
}

wanted() {
    [ ${#parts[@]} -eq 0 ] && return 0
    local part
    for part in "${parts[@]}"; do [ "$part" = "$1" ] && return 0; done
    return 1
}
parts=("$@")

# ── what is needed ───────────────────────────────────────────────────────────────────────────────

build() {
    local target
    cargo build --quiet --locked --package enterprise-mcp-server --bin enterprise-mcp "${@:2}"
    target=$(cargo metadata --format-version 1 --no-deps --offline | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    cp "$target/debug/enterprise-mcp" "$1"
}

# The programs of others need Node 22; where there is an older one, the package `node` brings it.
node_22() {
    if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 22 || (major === 22 && minor >= 19) ? 0 : 1)'; then
        if [ ! -x "$cache/node/node_modules/node/bin/node" ]; then
            mkdir -p "$cache/node"
            npm install --prefix "$cache/node" --no-audit --no-fund --no-save --loglevel error node@22.23.3 >&2
        fi
        PATH=$cache/node/node_modules/node/bin:$PATH
    fi
}

# Installs anew only when the list of versions has changed.
clients() {
    mkdir -p "$cache/npm"
    if ! cmp -s "$here/package-lock.json" "$cache/npm/installed"; then
        echo "installing the clients into $cache" >&2
        cp "$here/package.json" "$here/package-lock.json" "$cache/npm/"
        npm ci --prefix "$cache/npm" --no-audit --no-fund --loglevel error >&2
        cp "$here/package-lock.json" "$cache/npm/installed"
    fi
    # Node looks for packages beside the file that wants them.
    cp "$here"/*.mjs "$cache/npm/"
}

python() {
    local found
    found=$(command -v python3) || return 1
    "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    if ! cmp -s "$here/requirements.txt" "$cache/venv/installed"; then
        "$found" -m venv "$cache/venv"
        "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2
        cp "$here/requirements.txt" "$cache/venv/installed"
    fi
    cp "$here"/*.py "$cache/venv/"
}

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# Waits until a program has written what is expected.
written() {
    local file=$1 what=$2 pid=$3 i
    for i in $(seq 300); do
        grep -q "$what" "$file" && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "nothing of \`$what\` after $((i / 5)) s:" >&2
    tail -5 "$file" "${file%.out}.err" >&2
    return 1
}

# Starts a program of ours in a clean environment, as a newcomer would: start NAME EXPECTED [VARIABLE=VALUE…] COMMAND…
start() {
    local name=$1 expected=$2
    shift 2
    env -i PATH="$PATH" HOME="$HOME" "$@" >"$work/$name.out" 2>"$work/$name.err" &
    running+=($!)
    written "$work/$name.out" "$expected" $!
}

mkdir -p "$cache"
node_22
clients
if wanted conformance && [ -z "${E2E_CONFORMANCE:-}" ]; then
    E2E_CONFORMANCE=$work/enterprise-mcp-conformance
    build "$E2E_CONFORMANCE" --features conformance
fi
export E2E_BINARY=${E2E_BINARY:-}
# Last, so that what is left in the target folder has no fixtures.
if [ -z "$E2E_BINARY" ]; then
    E2E_BINARY=$work/enterprise-mcp
    build "$E2E_BINARY"
fi
with_python=yes
python || with_python=

# ── the server, as a newcomer starts it ──────────────────────────────────────────────────────────

data=$work/data
start server 'API key' PORT="$(free_port)" DATA_DIR="$data" "$E2E_BINARY"
E2E_URL=$(sed -n 's/^ *URL *//p' "$work/server.out")
E2E_KEY=$(sed -n 's/^ *API key *//p' "$work/server.out")
# The first copy of the business, so that the brain has something to answer with.
for _ in $(seq 150); do
    node -e 'fetch(process.argv[1] + "/health", {headers: {"x-api-key": process.argv[2]}}).then((r) => r.json()).then((h) => process.exit(h.sync.last_success ? 0 : 1))' "$E2E_URL" "$E2E_KEY" && break
    sleep 0.4
done
export E2E_URL E2E_KEY E2E_STDIO_DATA=$work/stdio

if wanted inspector; then part inspector node "$cache/npm/inspector.mjs"; fi
if wanted stdio; then part stdio node "$cache/npm/stdio.mjs"; fi
if wanted typescript; then part typescript node "$cache/npm/typescript.mjs"; fi
if wanted python; then
    if [ -n "$with_python" ]; then
        part python "$cache/venv/bin/python" "$cache/venv/python_client.py"
    else
        note "skipped: the Python SDKs (there is no Python 3.11 with venv here)"
    fi
fi

# ── AI clients that a person lets in ─────────────────────────────────────────────────────────────

# Documents of clients are on the internet, which is not asked here: clients register.
if wanted log_in; then
    port=$(free_port)
    start log_in 'Owner' PORT="$port" DATA_DIR="$work/log_in" SYNC_ENABLED=false OAUTH_CLIENT_DOCUMENTS=false "$E2E_BINARY"
    welcome=$(grep -o 'http://[^ ]*/welcome/[^ ]*' "$work/log_in.out")
    check "the first owner sets a password" curl -sf -o /dev/null "$welcome" \
        -d 'email=owner@shop.example&name=Owner&password=correct horse battery'
    export E2E_LOGIN_URL=http://127.0.0.1:$port
    part log_in node "$cache/npm/log_in.mjs"
fi

# ── the REST API, judged by schemathesis after its own OpenAPI document ──────────────────────────

if wanted rest; then
    if [ -n "$with_python" ]; then
        port=$(free_port)
        start rest 'Owner' PORT="$port" DATA_DIR="$work/rest" SYNC_ENABLED=false CALLS_PER_MINUTE=1000000 \
            TENANT_CALLS_PER_MINUTE=1000000 "$E2E_BINARY"
        E2E_REST_WELCOME=$(grep -o 'http://[^ ]*/welcome/[^ ]*' "$work/rest.out")
        export E2E_REST_URL=http://127.0.0.1:$port E2E_REST_WELCOME
        part rest "$cache/venv/bin/python" "$cache/venv/rest.py"
    else
        note "skipped: schemathesis (there is no Python 3.11 with venv here)"
    fi
fi

# ── the conformance suite, on the same stack with fixtures beside the tools ──────────────────────

suite() {
    node "$cache/npm/node_modules/@modelcontextprotocol/conformance/dist/index.js" server "$@" --output-dir "$work/conformance"
}

if wanted conformance; then
    start stateless '/mcp' PORT="$(free_port)" DATA_DIR="$work/c1" SYNC_ENABLED=false "$E2E_CONFORMANCE" conformance
    start sessions '/mcp' PORT="$(free_port)" DATA_DIR="$work/c2" SYNC_ENABLED=false MCP_SESSIONS=true "$E2E_CONFORMANCE" conformance
    alone=$(tail -1 "$work/stateless.out")
    check "conformance 2026-07-28" suite --url "$alone" --requirements 2026-07-28
    check "conformance 2025-11-25, in sessions" suite --url "$(tail -1 "$work/sessions.out")" --requirements 2025-11-25
    check "conformance 2025-11-25, stateless, but for what needs a session" \
        suite --url "$alone" --requirements 2025-11-25 --expected-failures scripts/conformance-stateless.yml
fi

# ── the same clients in front of two replicas on one PostgreSQL, without sticky routing ───────────

# Two of them on a database of this name, and one address that asks them in turn: replicas NAME PATTERN COMMAND…
replicas() {
    local name=$1 pattern=$2 port replica upstream upstreams=()
    shift 2
    port=$(free_port)
    "$(command -v psql || ls /usr/lib/postgresql/*/bin/psql | tail -1)" -qAt "$postgres" -c "CREATE DATABASE $name"
    for replica in first second; do
        upstream=$(free_port)
        upstreams+=("http://127.0.0.1:$upstream")
        start "$name-$replica" "$pattern" PORT="$upstream" DATA_DIR="$work/$name-$replica" SYNC_ENABLED=false \
            DATABASE_URL="${postgres%/*}/$name" TUNNEL_URL="http://127.0.0.1:$port" MCP_API_KEY="$replicas_key" \
            MASTER_KEY=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff "$@"
    done
    start "$name-front" 'round robin over 2' node "$cache/npm/round_robin.mjs" "$port" "${upstreams[@]}"
    front=http://127.0.0.1:$port
}

if wanted replicas; then
    replicas_key=replicas-key-0123456789abcdef
    export POSTGRES_TEST_DIR=${TMPDIR:-/tmp}/enterprise-mcp-e2e-postgres.$$
    if postgres=$(scripts/postgres.sh start 2>"$work/postgres.err"); then
        replicas pair 'URL' "$E2E_BINARY"
        at_pair() { E2E_URL=$front E2E_KEY=$replicas_key E2E_LOGIN_URL=$front "$@"; }
        check "replicas: the first copy" curl -sf -X POST "$front/mcp/run/gohighlevel.sync_all_contacts" \
            -H "authorization: Bearer $replicas_key" -d '{}'
        at_pair part replicas-inspector node "$cache/npm/inspector.mjs"
        at_pair part replicas-typescript node "$cache/npm/typescript.mjs"
        [ -z "$with_python" ] || at_pair part replicas-python "$cache/venv/bin/python" "$cache/venv/python_client.py"
        # A new link for the first owner ends the one before.
        welcome=$(grep -o '/welcome/[^ ]*' "$work/pair-second.out")
        check "replicas: the first owner sets a password" curl -sf -o /dev/null "$front$welcome" \
            -d 'email=owner@shop.example&name=Owner&password=correct horse battery'
        at_pair part replicas-log_in node "$cache/npm/log_in.mjs"
        if [ -n "${E2E_CONFORMANCE:-}" ]; then
            replicas suite '/mcp' "$E2E_CONFORMANCE" conformance
            check "replicas: conformance 2026-07-28" suite --url "$front/mcp" --requirements 2026-07-28
        fi
        check "replicas: audit verify" env DATABASE_URL="${postgres%/*}/pair" DATA_DIR="$work/pair-first" "$E2E_BINARY" audit verify
    else
        note "skipped: two replicas (no PostgreSQL server could be found or installed)"
    fi
fi

# ── the sandbox, judged by the vendor's own clients ──────────────────────────────────────────────

# What is in npm, then what is in PyPI; both print a line a check.
vendor() {
    local name=$1
    wanted "$name" || return 0
    if [ -f "$here/$name.mjs" ]; then part "$name-npm" node "$cache/npm/$name.mjs"; fi
    [ -n "${2:-}" ] || return 0
    if [ -n "$with_python" ]; then
        part "$name-pypi" "$cache/venv/bin/python" "$cache/venv/$2"
    else
        note "skipped: $name's Python client (there is no Python 3.11 with venv here)"
    fi
}

sandbox_wanted() {
    local name
    for name in gohighlevel quickbooks amazon cloudflare google slack godaddy; do wanted "$name" && return 0; done
    return 1
}

if sandbox_wanted; then
    start sandbox '^}' "$E2E_BINARY" sandbox --port "$(free_port)"
    E2E_SANDBOX=$(cat "$work/sandbox.out")
    export E2E_SANDBOX
    vendor gohighlevel gohighlevel.py
    vendor quickbooks
    vendor amazon
    vendor cloudflare
    vendor google google_client.py
    vendor slack slack.py
    vendor godaddy godaddy.py
fi

# ── what all of that left behind ─────────────────────────────────────────────────────────────────

recorded() {
    DATA_DIR=$data "$E2E_BINARY" audit list --limit 500 >"$work/audit" 2>/dev/null
    local tool
    for tool in "$@"; do grep -q "$tool" "$work/audit" || { echo "no record of $tool"; return 1; }; done
}

if wanted audit; then
    check "audit verify: the chain is sound while the server runs" env DATA_DIR="$data" "$E2E_BINARY" audit verify
    if [ ${#parts[@]} -eq 0 ]; then
        check "audit list: the calls of all these clients are in it" \
            recorded contacts.search gohighlevel.read_contacts gohighlevel.get_contact gohighlevel.sync_all_contacts
    fi
    server=${running[0]}
    kill "$server"
    wait "$server" || true
    check "audit verify: the chain is sound after the server has ended" env DATA_DIR="$data" "$E2E_BINARY" audit verify
    check "doctor: finds nothing wrong" env DATA_DIR="$data" "$E2E_BINARY" doctor
fi

passed=$(grep -c '^ok' "$results" || true)
failed=$(grep -c '^FAILED' "$results" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
