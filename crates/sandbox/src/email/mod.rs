//! A mail server of the simulated business: it takes mails over SMTP, keeps them and sends nothing.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::{
    business::{Business, Kind, random, uuid},
    vendor::Account,
    world::World,
};

mod session;

pub(crate) use session::run;

/// A mail as the server accepted it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// Simulated time.
    pub at: DateTime<Utc>,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients, those of blind copies included.
    pub to: Vec<String>,
    /// The `Message-ID` header with its angle brackets, if there was one.
    pub message_id: Option<String>,
    /// Headers and body as they came.
    pub raw: String,
}

pub(crate) struct Post {
    /// Where it listens; none before it does.
    pub address: Option<SocketAddr>,
    pub username: String,
    pub password: String,
    pub mails: Vec<Mail>,
}

impl Post {
    pub(crate) fn new(seed: u64, business: &Business) -> Post {
        let username = business.users.first().map_or("owner@medtainer.example", |user| user.email);
        let password = uuid(&mut random(seed, Kind::Secret, 52_000));
        Post { address: None, username: username.to_owned(), password, mails: Vec::new() }
    }

    /// Others' addresses may not stand as the sender.
    pub(crate) fn may_send_as(&self, sender: &str) -> bool {
        let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        domain(sender).is_some() && domain(sender) == domain(&self.username)
    }
}

/// Nothing of a mail server is HTTP.
pub(crate) fn router(_: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
}

pub(crate) fn refuse(status: StatusCode) -> Response {
    status.into_response()
}

/// SMTP has no bearers.
pub(crate) fn expire(_: &World, _: &str) {}

pub(crate) fn account(world: &World, _: &str) -> Account {
    let post = world.post();
    let (host, port) = match post.address {
        Some(address) => (address.ip().to_string(), address.port()),
        None => ("127.0.0.1".to_owned(), 0),
    };
    let config =
        json!({"host": host, "port": port, "security": "none", "from": format!("MedTainer <{}>", post.username)});
    Account::new(config).with("username", &*post.username).with("password", &*post.password)
}
