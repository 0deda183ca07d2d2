//! QuickBooks Online's side of the wire: Intuit's token server and the accounting API of one company.

use std::sync::{Arc, MutexGuard};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{
    business::{Kind, random},
    clock::Millis,
    vendor::{Account, Vendor},
    world::World,
};
use books::Books;
use fault::Fault;
use limits::Limits;
use oauth::Grants;

mod books;
mod calls;
mod changes;
mod dates;
mod fault;
mod generate;
mod invoices;
mod limits;
mod oauth;
mod payments;
mod query;
mod reports;
mod writes;

pub(crate) const VENDOR: Vendor =
    Vendor { name: "quickbooks", router, refuse, expire, account, at_once: Some(("/quickbooks/v3/", 10)) };

/// What QuickBooks knows. The books are made when somebody first asks, so that a sandbox that nobody asks about
/// invoices starts as fast as before.
#[derive(Default)]
pub(crate) struct State {
    books: Option<Books>,
    pub(crate) grants: Grants,
    limits: Limits,
}

impl State {
    fn books(&mut self, world: &World) -> &mut Books {
        self.books.get_or_insert_with(|| generate::books(world))
    }
}

/// The state is locked before the business, always in this order.
pub(crate) fn state(world: &World) -> MutexGuard<'_, State> {
    world.quickbooks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn router(_: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/connect/oauth2", get(oauth::consent))
        .route("/oauth2/v1/tokens/bearer", post(oauth::token))
        .route("/v2/oauth2/tokens/revoke", post(oauth::revoke))
        .route("/v1/openid_connect/userinfo", get(oauth::userinfo))
        .route("/.well-known/openid_configuration", get(oauth::discovery))
        .route("/v3/company/{realm}/{*rest}", get(calls::answer).post(calls::answer))
}

/// The vendor's body for a status that a fault asks for.
fn refuse(status: StatusCode) -> Response {
    Fault::with_status(status).into_response()
}

fn expire(world: &World, bearer: &str) {
    state(world).grants.kill(bearer);
}

fn account(world: &World, url: &str) -> Account {
    let now = world.now();
    let (access, refresh) = state(world).grants.own(world.options.seed, now);
    let config = json!({
        "base_url": url,
        "realm_id": realm(world.options.seed),
        "authorize_url": format!("{url}/connect/oauth2"),
        "token_url": format!("{url}/oauth2/v1/tokens/bearer"),
        "revoke_url": format!("{url}/v2/oauth2/tokens/revoke"),
    });
    Account::new(config)
        .with("client_id", oauth::client_id(world.options.seed))
        .with("client_secret", oauth::client_secret(world.options.seed))
        .with("webhook_verifier_token", world.webhooks.secret("quickbooks"))
        .with("refresh_token", refresh)
        .with("access_token", access)
}

/// The company's id: sixteen digits.
pub(crate) fn realm(seed: u64) -> String {
    format!("93414{:011}", random(seed ^ SALT, Kind::Company, 0).u64(..100_000_000_000))
}

/// Sets QuickBooks' random streams apart from those of the business.
const SALT: u64 = 0x0071_6263_616c_6c73;

/// What a write adds to the list of effects: the name of the vendor's event.
fn record(world: &World, now: Millis, entity: &str, verb: &str, row: &serde_json::Value) {
    let id = row["Id"].as_str().unwrap_or_default().to_owned();
    let kind = format!("qbo.{}.{verb}.v1", entity.to_lowercase());
    world.business().record(now, &kind, &id, "api", row.clone());
    world.webhooks.quickbooks(&kind, &id, &realm(world.options.seed), now);
}
