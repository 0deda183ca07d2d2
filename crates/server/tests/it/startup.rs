//! What keeps a server from starting is said in words that name the file and the cure.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;
use server::config::Config;
use server::serve::Server;

use crate::support::{self, TestServer};

fn at(folder: &Path) -> Config {
    let mut config = support::config(&[]);
    config.server.data_dir = folder.to_owned();
    config
}

async fn refusal(config: Config) -> String {
    match support::app(config).await {
        Ok(_) => panic!("it started"),
        Err(e) => e.to_string(),
    }
}

/// `enterprise-mcp tools | head -1`: who has read enough ends the command, and nothing is said of it.
#[test]
fn a_reader_who_has_seen_enough_ends_a_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"));
    command.arg("tools").current_dir(folder.path()).env_clear().env("SANDBOX_CONTACTS", "20");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Closed before the first line, so that every line meets a closed pipe.
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("panicked"), "{}: {said}", output.status);
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused() {
    let server = TestServer::sqlite().await;
    let text = refusal(at(server.folder.path())).await;
    assert!(text.contains("enterprise-mcp.db"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("enterprise-mcp.db"),
        "this is not a database, it only looks like a file".repeat(100),
    )
    .unwrap();
    let text = refusal(at(folder.path())).await;
    assert!(text.contains("enterprise-mcp.db"), "{text}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let app = support::app(at(folder.path())).await.unwrap();
    Server::start(app).await.unwrap().stop().await;
    store::testing::pretend_newer(&format!("sqlite://{}", folder.path().join("enterprise-mcp.db").display()))
        .await
        .unwrap();
    let text = refusal(at(folder.path())).await;
    assert!(text.contains("newer"), "{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = TestServer::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = at(folder.path());
    config.server.port = server.server.address.port();
    let app = support::app(config).await.unwrap();
    let text = Server::start(app).await.err().expect("the port is taken").to_string();
    assert!(text.contains("set PORT") && text.contains(&server.server.address.port().to_string()), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn what_was_synced_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for synced in [false, true] {
        let app = support::app(at(folder.path())).await.unwrap();
        let server = Server::start(app).await.unwrap();
        let server = TestServer {
            server,
            http: server::app::client().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            database: None,
        };
        if !synced {
            server.data("gohighlevel.sync_all_contacts", json!({})).await;
        }
        let found = server.data("contacts.search", json!({"query": "who is at acme supply"})).await;
        assert_eq!(found["contacts"].as_array().unwrap().len(), 3);
        server.stop().await;
    }
}

fn binary(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_terminal_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);
    let cases: &[Case] = &[
        (&["serve"], &[("GHL_API_KYE", "x")], "did you mean GHL_API_KEY?"),
        (&["serve"], &[("PORT", "eighty")], "PORT: `eighty` is not a whole number"),
        (&["serve", "--config", "missing.toml"], &[], "missing.toml cannot be read"),
        (&["serve"], &[("DATABASE_URL", "mysql://x")], "postgres://"),
        (&["call", "no.such"], &[], "there is no tool `no.such`"),
        (&["call", "system.health", "{"], &[], "the arguments are not JSON"),
    ];
    for (arguments, variables, says) in cases {
        let output = binary(folder.path(), arguments, variables);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn commands_work_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = binary(folder.path(), arguments, &[("LOG_LEVEL", "error")]);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "{arguments:?}: {err}");
        out
    };
    assert!(run(&["migrate"]).contains("up to date"));
    assert!(run(&["sync"]).contains("1206 contacts fetched: 1206 new"));
    assert!(run(&["call", "contacts.search", "{\"query\": \"acme supply\"}"]).contains("Acme Supply"));
    assert!(run(&["tools"]).contains("gohighlevel.read_contacts"));
    assert!(run(&["audit", "list"]).contains("system.sync"));
    run(&["call", "gohighlevel.read_contacts", "{\"limit\": 1}"]);
    let newest = run(&["audit", "list", "--limit", "1"]);
    let id = newest.split("  ").nth(1).unwrap();
    let shown = run(&["audit", "show", id]);
    for part in ["gohighlevel.read_contacts  success", "machine owner", "\"limit\": 1", "POST ", "  200, "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(run(&["audit", "verify"]).contains("unchanged"));
    let key = run(&["key", "create", "laptop", "--scopes", "read"]);
    assert!(key.starts_with("emcp_"));
    assert!(run(&["key", "list"]).contains("laptop"));
    assert!(run(&["approvals", "list"]).is_empty());
    assert!(run(&["doctor"]).contains("the sample business answers"));
}

#[tokio::test]
async fn a_policy_that_fits_no_tool_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = at(folder.path());
    config.policy.deny = vec!["gohighlevel_send_sms".into()];
    let text = refusal(config).await;
    assert!(text.contains("gohighlevel_send_sms") && text.contains("fits no tool"), "{text}");
}

#[tokio::test]
async fn a_new_first_key_ends_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    for key in ["the-first-key-of-all", "the-key-after-a-leak"] {
        let mut config = support::config(&[("MCP_API_KEY", key)]);
        config.server.data_dir = folder.path().to_owned();
        let app = support::app(config).await.unwrap();
        let server = Server::start(app).await.unwrap();
        let http = server::app::client().unwrap();
        let status = |key: &'static str| http.get(format!("{}/mcp/tools", server.url())).bearer_auth(key).send();
        assert_eq!(status(key).await.unwrap().status(), 200);
        let other = if key.contains("leak") { "the-first-key-of-all" } else { "the-key-after-a-leak" };
        assert_eq!(status(other).await.unwrap().status(), 401);
        server.stop().await;
    }
}

/// A client that restarts its server does not wait until the old one has closed the file.
#[tokio::test]
async fn stdio_waits_a_little_for_a_file_that_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("data/enterprise-mcp.db").display());
    let before = store::Store::open(&url, store::OpenOptions::default()).await.unwrap();
    let mut client = Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"))
        .arg("stdio")
        .env_clear()
        .env("LOG_LEVEL", "error")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(client.try_wait().unwrap().is_none(), "it gave up at once");
    before.close().await.unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    writeln!(client.stdin.as_mut().unwrap(), "{hello}").unwrap();
    let mut answer = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"serverInfo\""), "{answer}");
    drop(client.stdin.take());
    assert!(client.wait().unwrap().success());
}

#[tokio::test]
async fn stdio_gives_up_on_a_file_that_stays_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("data/enterprise-mcp.db").display());
    let before = store::Store::open(&url, store::OpenOptions::default()).await.unwrap();
    let output = binary(folder.path(), &["stdio"], &[("LOG_LEVEL", "error")]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("in use by another enterprise-mcp process"), "{text}");
    before.close().await.unwrap();
}
