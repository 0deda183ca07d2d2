#!/bin/sh
# What must not be in the tree, and what must be there once.
set -eu

for crate in openssl-sys aws-lc-sys native-tls; do
    if cargo tree --locked --workspace --invert "$crate" >/dev/null 2>&1; then
        echo "$crate is in the dependency tree; TLS is rustls on ring" >&2
        exit 1
    fi
done
host=$(rustc -vV | sed -n 's/^host: //p')
for crate in reqwest hyper axum sqlx sqlx-core sea-orm rustls schemars libsqlite3-sys tokio rmcp jsonschema; do
    versions=$(cargo metadata --locked --format-version 1 --filter-platform "$host" | tr ',' '\n' | grep -c "^\"id\":\"[^\"]*#$crate@" || true)
    if [ "$versions" -gt 1 ]; then
        echo "$crate is in the dependency tree $versions times; keep one version of it" >&2
        exit 1
    fi
done
if command -v cargo-deny >/dev/null; then
    cargo deny --offline check bans licenses sources
else
    echo "skipped: cargo-deny is not installed, so licences were not checked"
fi
