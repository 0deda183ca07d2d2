//! Whose a delivery is, where several businesses are connected to one vendor.
//!
//! A vendor delivers the events of all accounts of an app to one address. The account that an event names says which
//! business is meant; a channel that we have opened ourselves says it by its token.

use std::sync::Arc;

use sdk::webhook::{Delivery, Event, Received, Refusal, Webhook};
use sha2::{Digest, Sha256};
use store::Tenant;

use crate::actor::DEFAULT_TENANT;
use crate::app::App;
use crate::connections::{Connected, Connections};
use crate::tenants;

/// A business that expects webhooks of an ecosystem.
pub(super) struct Taker {
    pub(super) tenant: Tenant,
    pub(super) connected: Arc<Connected>,
    pub(super) webhook: Webhook,
    secret: String,
}

/// Every business that is connected to it, and has something to prove deliveries with.
pub(super) async fn takers(app: &App, ecosystem: &str) -> Vec<Taker> {
    let all = tenants::connections(app).await.unwrap_or_else(|_| vec![app.connections.own().clone()]);
    all.iter().filter_map(|connections| taker(connections, ecosystem)).collect()
}

fn taker(connections: &Connections, ecosystem: &str) -> Option<Taker> {
    let connected = connections.get(ecosystem).ok()?;
    let webhook = connected.connector.webhook?;
    let secret = secret(connections.tenant().id(), &connected, &webhook)?;
    Some(Taker { tenant: connections.tenant().clone(), connected, webhook, secret })
}

/// What a business's deliveries are proven with. Where we choose it, each has one of its own, made from the
/// installation's.
pub(super) fn secret(tenant: &str, connected: &Connected, webhook: &Webhook) -> Option<String> {
    let secret = connected.webhook_secret()?;
    if !webhook.subscribed || tenant == DEFAULT_TENANT {
        return Some(secret.to_owned());
    }
    Some(hex::encode(Sha256::digest(format!("{secret}\0{tenant}"))))
}

/// Reads a delivery with the secret that proves it, and leaves the businesses that have it.
pub(super) fn prove(takers: &mut Vec<Taker>, delivery: &Delivery<'_>) -> Result<Received, Refusal> {
    let mut refusal = Refusal::Unproven("nobody expects it");
    let mut tried: Vec<&str> = Vec::new();
    for taker in takers.iter() {
        if tried.contains(&taker.secret.as_str()) {
            continue;
        }
        match (taker.webhook.open)(delivery, &taker.secret) {
            Ok(received) => {
                let proven = taker.secret.clone();
                takers.retain(|taker| taker.secret == proven);
                return Ok(received);
            }
            Err(why) => refusal = why,
        }
        tried.push(&taker.secret);
    }
    Err(refusal)
}

/// The events of each business, with their places in the delivery. Those of nobody are the first one's, which keeps them
/// as a stranger's.
pub(super) fn shares(takers: &[Taker], events: Vec<Event>) -> Vec<(&Taker, Vec<(usize, Event)>)> {
    let mut shares: Vec<(&Taker, Vec<(usize, Event)>)> = takers.iter().map(|taker| (taker, Vec::new())).collect();
    for (index, event) in events.into_iter().enumerate() {
        let whose = takers.iter().position(|taker| taker.is_meant(&event, takers.len() == 1)).unwrap_or_default();
        if let Some((_, events)) = shares.get_mut(whose) {
            events.push((index, event));
        }
    }
    shares.retain(|(_, events)| !events.is_empty());
    shares
}

impl Taker {
    fn is_meant(&self, event: &Event, alone: bool) -> bool {
        match self.webhook.account {
            Some(key) => event.account.is_some() && event.account.as_deref() == self.connected.setting(key),
            None => alone || event.account.is_some() && event.account.as_deref() == self.connected.account_id(),
        }
    }
}
