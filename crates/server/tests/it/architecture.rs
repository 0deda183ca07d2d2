//! Who may know whom: the table of ARCHITECTURE.md, held by a test.

use std::process::Command;

use serde_json::Value;

/// A crate of ours and what it must not depend on.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    (
        "enterprise-mcp-sdk",
        &[
            "enterprise-mcp-connectors",
            "enterprise-mcp-store",
            "enterprise-mcp-sandbox",
            "enterprise-mcp-server",
            "axum",
            "rmcp",
            "sea-orm",
            "sqlx",
        ],
    ),
    (
        "enterprise-mcp-connectors",
        &[
            "enterprise-mcp-store",
            "enterprise-mcp-sandbox",
            "enterprise-mcp-server",
            "axum",
            "rmcp",
            "sea-orm",
            "sqlx",
            "reqwest",
        ],
    ),
    (
        "enterprise-mcp-store",
        &[
            "enterprise-mcp-sdk",
            "enterprise-mcp-connectors",
            "enterprise-mcp-sandbox",
            "enterprise-mcp-server",
            "axum",
            "rmcp",
            "reqwest",
        ],
    ),
    (
        "enterprise-mcp-sandbox",
        &[
            "enterprise-mcp-sdk",
            "enterprise-mcp-connectors",
            "enterprise-mcp-store",
            "enterprise-mcp-server",
            "rmcp",
            "sea-orm",
            "sqlx",
        ],
    ),
];

#[test]
fn crates_know_only_what_they_may() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo metadata runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata is JSON");
    for (krate, forbidden) in MUST_NOT_KNOW {
        let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == *krate);
        let dependencies = package.unwrap_or_else(|| panic!("{krate} is gone"))["dependencies"].as_array().unwrap();
        // What a crate needs for its tests does not reach its users.
        let known: Vec<&str> = dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .collect();
        for name in *forbidden {
            assert!(!known.contains(name), "{krate} must not depend on {name}");
        }
    }
}
