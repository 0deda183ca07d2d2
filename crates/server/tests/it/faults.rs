//! What goes wrong at a vendor is named in plain words, whichever vendor it is: a table over all connectors, at their
//! simulated sides.

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use server::serve::Server;

use crate::support;
use crate::vendors::{self, call};

/// One read of each ecosystem, and where its requests go.
const READS: [(&str, &str, &str); 7] = [
    ("GoHighLevel", "gohighlevel.list_pipelines", "/opportunities"),
    ("QuickBooks", "quickbooks.list_customers", "/quickbooks/v3"),
    ("Google", "google_workspace.list_assets", "/google_workspace/drive"),
    ("Amazon", "amazon.list_reports", "/amazon/reports"),
    ("Cloudflare", "cloudflare.list_zones", "/cloudflare/client"),
    ("GoDaddy", "godaddy.list_domains", "/godaddy/v1"),
    ("Slack", "slack.list_channels", "/slack/api/conversations"),
];

async fn connected(vendor: &Sandbox) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = vendors::config(folder.path(), vendor, &vendors::ALL, &[]);
    (Server::start(support::app(config).await.unwrap()).await.unwrap(), folder)
}

/// What a caller is told: the problem's kind, and its words.
async fn told(server: &Server, tool: &str) -> (String, String) {
    let http = server::app::client().unwrap();
    let body = call(&http, &server.url(), tool, &json!({})).await.unwrap();
    let kind = body["type"].as_str().unwrap_or_else(|| panic!("{tool} answered {body}"));
    let kind = kind.rsplit(':').next().unwrap_or_default().to_owned();
    (kind, body["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_named_at_every_vendor() {
    let cases: [(Fault, &str, &[&str]); 6] = [
        (Fault::Html, "upstream", &["JSON", "documented"]),
        (Fault::Malformed, "upstream", &["JSON", "documented"]),
        (Fault::Truncated, "unavailable", &["broke off"]),
        (Fault::Drop, "unavailable", &["broke off"]),
        (Fault::Status(429), "rate_limited", &["too many", "limit", "wait", "second", "minute", "quota"]),
        (Fault::Status(503), "unavailable", &["503", "unavailable", "outage", "maintenance", "failure", "error"]),
    ];
    for (fault, kind, words) in cases {
        // A breaker that the case before opened would answer in this one's place.
        let vendor = vendors::start(|options| options.enforce_limits = false).await;
        let (server, _folder) = connected(&vendor).await;
        for (name, tool, path) in READS {
            vendor.faults().always(path, fault.clone());
            let (told_kind, detail) = told(&server, tool).await;
            println!("{fault:?} {name}: {told_kind}: {detail}");
            assert_eq!(told_kind, kind, "{fault:?} at {name}: {detail}");
            let lower = detail.to_lowercase();
            assert!(words.iter().any(|word| lower.contains(&word.to_lowercase())), "{fault:?} at {name}: {detail}");
            assert!(!detail.contains('<') && !detail.contains("127.0.0.1"), "{detail}");
        }
        server.stop().await;
    }
}

/// A token that is refused, and one that may not do this, are two things, and each has its cure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_token_and_a_missing_right_are_told_apart() {
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let (server, _folder) = connected(&vendor).await;
    for (name, tool, path) in READS {
        vendor.faults().always(path, Fault::Status(401));
        let (dead, why) = told(&server, tool).await;
        vendor.faults().clear();
        vendor.faults().always(path, Fault::Status(403));
        let (refused, what) = told(&server, tool).await;
        vendor.faults().clear();
        println!("401 {name}: {dead}: {why}\n403 {name}: {refused}: {what}");
        assert_eq!(dead, "unauthenticated", "{name}: {why}");
        // Google, of all, also says with 403 that one is too fast; Amazon, that a token is none.
        assert!(["forbidden", "rate_limited", "unauthenticated"].contains(&refused.as_str()), "{name}: {what}");
        assert_ne!(why, what, "{name}");
        assert!(why.contains(name) && why.len() > name.len() + 20, "{name}: {why}");
    }
    server.stop().await;
}

/// The account is taken away while its copy is made: the sync ends with the reason and the cure, what was copied stays,
/// and the next one, with the account back, completes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_in_mid_sync_is_named() {
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let (server, _folder) = connected(&vendor).await;
    let http = server::app::client().unwrap();
    let sync = async |ecosystem: &str| -> Value {
        call(&http, &server.url(), "system.sync", &json!({"ecosystem": ecosystem})).await.unwrap()
    };
    // The first stream of each comes through; the next finds the account closed.
    for (ecosystem, later, words) in [
        ("quickbooks", "/quickbooks/v3/company/", "QuickBooks"),
        ("google_workspace", "/google_workspace/gmail", "Google"),
        ("cloudflare", "/cloudflare/client/v4/zones/", "Cloudflare"),
        ("gohighlevel", "/opportunities", "GoHighLevel"),
    ] {
        if ecosystem == "quickbooks" {
            // Its streams have one path; the first requests for a page are answered.
            vendor.faults().next_on(later, 2, Fault::StallReply(std::time::Duration::ZERO));
        }
        vendor.faults().always(later, Fault::Status(401));
        let body = sync(ecosystem).await;
        println!("{ecosystem}: {body}");
        let said = body.to_string();
        assert!(said.contains(words), "{ecosystem}: {said}");
        assert!(!said.contains("\"errors\":0"), "{ecosystem} lost its account: {said}");
        vendor.faults().clear();
        let body = sync(ecosystem).await;
        assert_eq!(body["data"]["syncs"][0]["errors"], 0, "{ecosystem}: {body}");
    }
    server.stop().await;
}
