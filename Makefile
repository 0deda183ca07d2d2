# Enterprise MCP Server. Needs Rust and, for the checks with foreign clients, Node; finds or
# installs the rest itself.

.PHONY: run release test e2e check bench fuzz

# Builds and starts it on http://127.0.0.1:8000 with the sample business.
run:
	cargo run --locked --bin enterprise-mcp

# What goes to production: target/release/enterprise-mcp.
release:
	cargo build --locked --release --bin enterprise-mcp

# All tests, on SQLite and on PostgreSQL.
test:
	scripts/test.sh

# The real binary with clients that others wrote.
e2e:
	scripts/e2e.sh

# Format, lints, dependency rules.
check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	scripts/check-dependencies.sh

# What it costs, as a table.
bench:
	scripts/with-postgres.sh cargo run --locked --release --package enterprise-mcp-bench

# What strangers send, a minute for each target.
fuzz:
	scripts/fuzz.sh 60
