//! `enterprise-mcp doctor`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sdk::http::Call;
use server::app::App;
use server::calls::Source;
use server::connections::{Connected, Connections, Description, EXPIRING};
use server::health;
use server::identity::oauth;
use tokio::time::Instant;
use uuid::Uuid;

/// Says what is configured, reachable and stale, and what to do about it.
pub async fn run(file: Option<PathBuf>, tenant: &str) -> anyhow::Result<ExitCode> {
    let config = super::config(file)?;
    say!("Configuration   ok");
    let app = super::beside(config).await?;
    super::owner(&app, tenant).await?;
    let connections = app.connections.of(&app, tenant).await?;
    let report = health::report(&app, &connections).await;
    say("Database", report.database.ok, &report.database.detail);
    let mut sound = report.database.ok;
    second_wall(&app).await?;
    for connected in connections.iter() {
        sound &= connection(&connected).await;
    }
    // After the checks, which notice what has changed.
    for shown in connections.descriptions().await? {
        tell_of_ends_and_scopes(&shown);
    }
    webhooks(&app, &connections).await?;
    clients(&app).await?;
    match report.sync.last_success {
        Some(at) if report.sync.fresh => say("Sync", true, &format!("last success {at:.0?}")),
        Some(at) => {
            let cure = "is the server running? system.sync_status says which stream it is";
            say("Sync", false, &format!("last success {at:.0?}, older than three intervals; {cure}"));
        }
        None => say("Sync", false, "has not copied everything yet; start the server or run `enterprise-mcp sync`"),
    }
    let open = store::audit::open_intents(&app.store.tenant(tenant), None, app.clock.now(), 100).await?;
    if !open.is_empty() {
        say(
            "Audit",
            false,
            &format!("{} effects with an unknown outcome; see `enterprise-mcp audit list`", open.len()),
        );
    }
    app.stop().await;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether PostgreSQL keeps the businesses apart as well.
async fn second_wall(app: &App) -> anyhow::Result<()> {
    let businesses = store::tenants::list(&app.store.system()).await?.len();
    let stands = store::wall::stands(&app.store);
    if businesses > 1 || stands {
        let wall = if stands { "row-level security stands between them" } else { "there is no row-level security" };
        let missing = app.store.backend() == store::Backend::Postgres && !stands;
        say("Businesses", !missing, &format!("{businesses}; {wall}"));
    }
    Ok(())
}

/// What works today and will not for long, or not for every tool.
fn tell_of_ends_and_scopes(shown: &Description) {
    if shown.state == EXPIRING {
        say(&shown.title, false, shown.reason.as_deref().unwrap_or_default());
    }
    if !shown.missing_scopes.is_empty() {
        let (scopes, tools) = (shown.missing_scopes.join(", "), shown.refused_tools.join(", "));
        say(&shown.title, false, &format!("not granted: {scopes}; so the vendor refuses {tools}"));
    }
}

async fn connection(connected: &Connected) -> bool {
    let name = match connected.name.as_str() {
        store::DEFAULT_CONNECTION => connected.connector.title.to_owned(),
        name => format!("{} {name:?}", connected.connector.title),
    };
    let name = name.as_str();
    if connected.source == Source::Sample {
        let cure = connected.ways_to_connect().join("; ");
        say(name, true, &format!("not connected, the sample business answers. To connect: {cure}"));
        return true;
    }
    let call =
        Call { execution: None, key: Uuid::now_v7().to_string(), deadline: Instant::now() + Duration::from_secs(15) };
    let opening = match connected.open(call).await {
        Ok(opening) => opening,
        Err(e) => {
            say(name, false, &e.to_string());
            return false;
        }
    };
    match connected.connector.check(opening).await {
        Ok(account) => {
            say(name, true, &format!("connected to {} ({})", account.name, account.id));
            not_told_by(connected);
            true
        }
        Err(e) => {
            say(name, false, &server::calls::explain(&e));
            false
        }
    }
}

/// A vendor that could tell by itself what changes, and has nothing to prove it with.
fn not_told_by(connected: &Connected) {
    if let (Some(webhook), None) = (connected.connector.webhook, connected.webhook_secret()) {
        let key = webhook.secret;
        say!("{:<20} no webhooks; for changes within seconds set {} ({})", "", key.env, key.help);
    }
}

/// Where vendors are to send their webhooks, and when the last one came.
async fn webhooks(app: &App, connections: &Connections) -> anyhow::Result<()> {
    for (ecosystem, expected) in server::webhooks::expectations(app, connections).await? {
        let last = expected.last_event.map_or_else(|| "none came yet".into(), |at| format!("the last came {at:.0?}"));
        say("Webhooks", true, &format!("{}, {last}", expected.url));
        if let (None, Some(webhook)) = (expected.last_event, connections.get(ecosystem)?.connector.webhook) {
            say!("{:<20} to register at: {}", "", webhook.setup);
        }
    }
    Ok(())
}

/// Whether AI clients can be let in by people, and why not.
async fn clients(app: &App) -> anyhow::Result<()> {
    let detail = match (oauth::why_off(&app.config), oauth::open(app).await?) {
        (Some(why), _) => format!("by API key alone; OAuth is off: {why}"),
        (None, None) => "by API key alone until somebody can sign in: enterprise-mcp user setup".into(),
        (None, Some(oauth)) => format!("people let them in at {}/authorize, or by API key", oauth.issuer),
    };
    say("AI clients", true, &detail);
    Ok(())
}

fn say(part: &str, ok: bool, detail: &str) {
    say!("{part:<15} {} {detail}", if ok { "ok  " } else { "PROBLEM" });
}
