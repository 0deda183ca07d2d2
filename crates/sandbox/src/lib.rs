//! A simulated small business behind the vendors' real HTTP wire.
//!
//! It is the product's built-in sample data, the other side in tests and the target of load.
//! It knows neither the store nor the server nor the connectors: all they share is the wire.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use gohighlevel::reply::Refusal;
use world::World;

pub use business::Effect;
pub use email::Mail;
pub use faults::{Fault, Faults};
pub use gohighlevel::GoHighLevelAccount;
pub use vendor::{Account, TokenRequests};

mod admin;
mod amazon;
mod business;
mod clock;
mod cloudflare;
mod domains;
mod email;
mod faults;
mod godaddy;
mod gohighlevel;
mod google_workspace;
mod people;
mod quickbooks;
mod serve;
mod slack;
mod vendor;
mod webhooks;
mod world;

/// How a sandbox is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// The same seed and present give the same business.
    pub seed: u64,
    /// How many contacts; everything else is in proportion.
    pub contacts: usize,
    /// The simulated present at start. It advances with the wall clock.
    pub now: DateTime<Utc>,
    /// Every vendor's limits: 100 requests in any 10 seconds and `daily` a day for GoHighLevel, and so on.
    pub enforce_limits: bool,
    /// How many requests GoHighLevel takes a day; 200,000 in truth.
    pub daily: u32,
    /// Added to every request.
    pub delay: Duration,
    /// How far `POST /contacts/search` lags behind writes, in simulated time.
    pub search_lag: Duration,
    /// How long a webhook waits after a 429 before it is delivered again.
    pub webhook_retry: Duration,
}

impl Options {
    /// The business of the examples: seed 1, 1,206 contacts, limits on, no delay, no lag.
    pub fn new(now: DateTime<Utc>) -> Options {
        Options {
            seed: 1,
            contacts: 1_206,
            now,
            enforce_limits: true,
            daily: 200_000,
            delay: Duration::ZERO,
            search_lag: Duration::ZERO,
            webhook_retry: Duration::from_secs(600),
        }
    }
}

/// Starts a sandbox on this address (port 0: any free one) and serves until it is dropped.
pub async fn start(options: Options, address: SocketAddr) -> std::io::Result<Sandbox> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let world = Arc::new(World::new(options, stop.clone()));
    let post = TcpListener::bind((address.ip(), 0)).await?;
    world.post().address = Some(post.local_addr()?);
    tokio::spawn(email::run(world.clone(), post));
    let task = tokio::spawn(serve::run(world.clone(), listener));
    Ok(Sandbox { world, address, task: Some(task) })
}

/// A running sandbox. Dropping it stops it.
pub struct Sandbox {
    world: Arc<World>,
    address: SocketAddr,
    task: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// `http://127.0.0.1:PORT`, without a slash at the end; V2 stands at the root, V1 under `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The credentials that open the GoHighLevel side.
    pub fn gohighlevel(&self) -> GoHighLevelAccount {
        self.world.account.clone()
    }

    /// What opens the side of this ecosystem, if it is simulated.
    pub fn account(&self, ecosystem: &str) -> Option<Account> {
        if ecosystem == "gohighlevel" {
            let account = self.gohighlevel();
            let url = self.url();
            let config = serde_json::json!({"base_url": url, "location_id": account.location_id,
                "authorize_url": format!("{url}/v2/oauth/chooselocation"), "token_url": format!("{url}/oauth/token")});
            let account = Account::new(config)
                .with("token", account.private_token)
                .with("webhook_public_key", account.webhook_public_key)
                .with("client_id", account.client_id)
                .with("client_secret", account.client_secret);
            return Some(account);
        }
        let vendor = vendor::VENDORS.iter().find(|vendor| vendor.name == ecosystem)?;
        Some((vendor.account)(&self.world, &format!("{}/{}", self.url(), vendor.name)))
    }

    /// Access tokens of GoHighLevel and QuickBooks that are issued from now on live so long, in whole seconds.
    pub fn access_tokens_live(&self, life: Duration) {
        let life = i64::try_from(life.as_millis()).ok();
        self.world.grants().access_life = life;
        quickbooks::state(&self.world).grants.access_life = life;
    }

    /// How often the token endpoint of GoHighLevel or QuickBooks was asked, and with what.
    pub fn token_requests(&self, ecosystem: &str) -> TokenRequests {
        match ecosystem {
            "gohighlevel" => self.world.grants().requests,
            "quickbooks" => quickbooks::state(&self.world).grants.requests,
            _ => TokenRequests::default(),
        }
    }

    /// The mails that were handed to the simulated mail server, the oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.world.post().mails.clone()
    }

    /// What goes wrong from now on.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// How often each vendor had to refuse because a limit was exceeded; faults on demand do not count.
    pub fn breaches(&self) -> BTreeMap<&'static str, u64> {
        self.world.breaches().clone()
    }

    /// The business behind the wire, for tests.
    pub fn business(&self) -> BusinessAccess<'_> {
        BusinessAccess { world: &self.world }
    }

    /// The headers that prove a webhook of this vendor with this body, now.
    pub fn signed(&self, ecosystem: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        self.world.webhooks.signed(ecosystem, body, self.world.now())
    }

    /// What a receiver proves this vendor's webhooks with: GoHighLevel's public key, or a shared secret.
    pub fn webhook_secret(&self, ecosystem: &str) -> String {
        self.world.webhooks.secret(ecosystem)
    }

    /// Every delivery of a webhook is made so many more times from now on.
    pub fn duplicate_webhooks(&self, copies: u32) {
        self.world.webhooks.duplicate(copies);
    }

    /// Keeps webhooks back from now on.
    pub fn hold_webhooks(&self) {
        self.world.webhooks.hold();
    }

    /// Delivers the webhooks that were kept back, the last one first if `reversed`, and gives the answers' status.
    pub async fn release_webhooks(&self, reversed: bool) -> Vec<u16> {
        self.world.webhooks.release(reversed).await
    }

    /// Delivers so many different webhooks at the same moment, each once, and counts the answers by status.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub async fn burst_of_webhooks(
        &self,
        ecosystem: &str,
        url: &str,
        count: u64,
    ) -> Result<std::collections::BTreeMap<u16, u64>, String> {
        self.world.webhooks.burst(&self.world, ecosystem, url, count).await
    }

    /// Moves the simulated present forward.
    pub fn skip(&self, time: Duration) {
        self.world.clock.skip(time);
    }

    /// An OAuth authorization code, as if a person had consented for the location
    /// (or, with `agency`, for the whole company).
    pub fn authorization_code(&self, agency: bool) -> String {
        let reach = if agency { gohighlevel::gate::Reach::Company } else { gohighlevel::gate::Reach::Location };
        let now = self.world.now();
        self.world.grants().code(reach, now)
    }

    /// Sends webhooks of this vendor to this URL from now on.
    ///
    /// # Errors
    /// When the URL cannot be read, or the vendor has no webhooks.
    pub fn subscribe(&self, ecosystem: &str, url: &str) -> Result<(), String> {
        self.world.webhooks.subscribe(ecosystem, url)
    }

    /// Stops serving and waits until the port is free.
    pub async fn shutdown(mut self) {
        self.world.stop.cancel();
        if let Some(mut task) = self.task.take() {
            let ended = tokio::time::timeout(Duration::from_secs(2), &mut task).await;
            if ended.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.world.stop.cancel();
    }
}

/// The business as a test sees it: without the wire, without limits or faults.
/// What a test changes here reaches webhooks and searches like any other change.
pub struct BusinessAccess<'a> {
    world: &'a World,
}

impl BusinessAccess<'_> {
    /// How many contacts there are now.
    pub fn contacts(&self) -> usize {
        self.world.business().contacts.len()
    }

    /// Their ids, in the order in which they were made.
    pub fn contact_ids(&self) -> Vec<String> {
        self.world.business().contacts.iter().map(|contact| contact.id.to_string()).collect()
    }

    /// The nth contact as `GET /contacts/{id}` shows it.
    pub fn contact(&self, number: usize) -> Option<Value> {
        people::show(self.world, number).ok()
    }

    /// A person adds a contact; the fields are those of `POST /contacts/`. Gives its id.
    ///
    /// # Errors
    /// The vendor's message when a field is refused.
    pub fn create_contact(&self, fields: Value) -> Result<String, String> {
        let payload = people::create(self.world, &object(fields)).map_err(message)?;
        Ok(payload["id"].as_str().unwrap_or_default().to_owned())
    }

    /// A person changes the nth contact.
    ///
    /// # Errors
    /// The vendor's message when a field is refused, or when there is no such contact.
    pub fn update_contact(&self, number: usize, fields: Value) -> Result<Value, String> {
        people::update(self.world, number, &object(fields)).map_err(message)
    }

    /// A person deletes the nth contact.
    ///
    /// # Errors
    /// When there is no such contact.
    pub fn delete_contact(&self, number: usize) -> Result<Value, String> {
        people::delete(self.world, number).map_err(message)
    }

    /// The nth contact writes an SMS to the business.
    ///
    /// # Errors
    /// When there is no such contact.
    pub fn receive_sms(&self, number: usize, text: &str) -> Result<Value, String> {
        people::write(self.world, number, text).map_err(message)
    }

    /// A person renames a document; whether there is one of this id.
    pub fn rename_document(&self, id: &str, name: &str) -> bool {
        google_workspace::rename(self.world, id, name)
    }

    /// Every write that was committed, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.world.business().effects.clone()
    }

    /// How many requests were served, refused ones included.
    pub fn requests(&self) -> u64 {
        self.world.requests()
    }
}

fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn message(refusal: Refusal) -> String {
    refusal.body["message"].to_string()
}
