//! Asking vendors for webhooks where nobody can register an address by hand, and again before they end.

use std::time::Duration;

use sdk::Result;
use sdk::http::Call;
use sdk::webhook::Subscription;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::address;
use crate::actor::Actor;
use crate::app::App;
use crate::connections::{Connected, Connections};

/// How long before its end a subscription is asked for anew.
const EARLY: chrono::Duration = chrono::Duration::days(1);
/// How long the vendor may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks each vendor that wants to be asked, if it can reach us. One that refuses does not stop the others; it is asked
/// again with the next housekeeping.
pub async fn renew(app: &App, connections: &Connections, by: &Actor) {
    let Some(public) = &app.config.server.public_url else { return };
    // Google refuses addresses without TLS. On this machine itself there is nobody in between.
    let local = url::Url::parse(public).is_ok_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost")));
    if !public.starts_with("https://") && !local {
        return;
    }
    for connected in connections.defaults() {
        let ecosystem = connected.connector.id;
        if let Err(error) = subscribe(app, by, &connected).await {
            tracing::warn!(ecosystem, %error, "the vendor could not be asked for webhooks");
        }
    }
}

/// The channel before ends by itself; until then some changes are told twice, which costs one walk all the same.
async fn subscribe(app: &App, by: &Actor, connected: &Connected) -> Result<()> {
    let (ecosystem, now) = (connected.connector.id, app.clock.now());
    let webhook = connected.connector.webhook.filter(|webhook| webhook.subscribed);
    let Some(secret) = webhook.and_then(|webhook| super::secret(&by.tenant, connected, &webhook)) else {
        return Ok(());
    };
    let (tenant, address) = (app.store.tenant(&by.tenant), address(app, ecosystem));
    let until = store::webhooks::subscribed_until(&tenant, ecosystem, &address).await.map_err(crate::unavailable)?;
    if until.is_some_and(|until| until > now + EARLY) {
        return Ok(());
    }
    let detail = json!({"ecosystem": ecosystem, "address": address});
    app.audit.event(tenant.id(), "webhooks_asked_for", None, by, &detail).await?;
    let call = Call { execution: None, key: Uuid::now_v7().to_string(), deadline: Instant::now() + PATIENCE };
    let to = Subscription { id: Uuid::now_v7().to_string(), address: address.clone(), secret };
    let ends_at = connected.connector.subscribe(connected.open(call).await?, to).await?;
    store::webhooks::subscribed(&tenant, ecosystem, &address, ends_at).await.map_err(crate::unavailable)
}
