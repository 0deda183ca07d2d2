//! Starts a sandbox, prints where it is and what opens it as one line of JSON, and stays up.
//!
//!     cargo run -p enterprise-mcp-sandbox --example serve -- [PORT] [CONTACTS] [DELAY-MS] [nolimits]

use std::{net::SocketAddr, time::Duration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, default| arguments.get(n).and_then(|text| text.parse().ok()).unwrap_or(default);
    #[expect(clippy::disallowed_methods, reason = "an example is the edge of the program")]
    let mut options = sandbox::Options::new(chrono::Utc::now());
    options.contacts = usize::try_from(number(1, 1_206))?;
    options.delay = Duration::from_millis(number(2, 0));
    options.enforce_limits = arguments.get(3).is_none_or(|limits| limits != "nolimits");
    let port = u16::try_from(number(0, 0))?;
    let sandbox = sandbox::start(options, SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let mut said = serde_json::json!({"url": sandbox.url(), "gohighlevel": sandbox.gohighlevel()});
    for ecosystem in ["quickbooks", "google_workspace", "amazon", "cloudflare", "godaddy", "slack", "email"] {
        if let Some(account) = sandbox.account(ecosystem) {
            said[ecosystem] = serde_json::json!(account);
        }
    }
    println!("{said}");
    std::future::pending::<()>().await;
    drop(sandbox);
    Ok(())
}
