//! A connector: typed for its author, erased for the runtime.

use std::any::Any;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::tool::Spec;
use crate::webhook::Subscription;
use crate::{Auth, Batch, Credentials, Error, Http, Page, Result, Stream, Tool, Webhook, schema};

/// Code for one ecosystem.
///
/// A value of it is made anew for every call, from the configuration, the credentials of that
/// moment and the call's [`Http`]; it holds no state between calls.
pub trait Connector: Sized + Send + Sync + 'static {
    /// The folder, the tools' prefix, the section of the configuration and the audit's value.
    const ID: &'static str;
    /// The name that people know.
    const TITLE: &'static str;
    /// The section of the configuration; its schema draws the dashboard's form.
    type Config: DeserializeOwned + JsonSchema;

    /// The keys of the configuration that say which account it is: addresses, and last the account's id. When they
    /// change, the copy of the account before is put away.
    const ACCOUNT: &'static [&'static str] = &["base_url"];

    /// Every way to authenticate; the first that a person has provided counts, and beside keys all further keys.
    fn auth() -> Vec<Auth>;
    /// The vendor's request limits for one connection.
    fn limits() -> Limits;
    fn connect(config: Self::Config, credentials: Credentials, http: Http) -> Result<Self>;
    /// The cheapest request that proves the credentials.
    fn check(&self) -> impl Future<Output = Result<Account>> + Send;
    fn tools() -> Vec<Tool<Self>>;
    fn streams() -> Vec<Stream<Self>> {
        Vec::new()
    }
    /// How the vendor's webhooks are verified and read, where it has any.
    fn webhook() -> Option<Webhook> {
        None
    }
    /// Asks the vendor for webhooks and gives the moment when they end; only where [`Webhook::subscribed`] says so.
    fn subscribe(&self, _to: Subscription) -> impl Future<Output = Result<DateTime<Utc>>> + Send {
        std::future::ready(Err(Error::internal(format!("{} is not asked for webhooks", Self::TITLE))))
    }
}

/// Whose account the credentials open.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Account {
    pub id: String,
    pub name: String,
    /// When the vendor says that the credentials end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
}

impl Account {
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Account {
        Account { id: id.into(), name: name.into(), ends: None }
    }
}

/// The vendor's limits: never more than `burst + t / replenish` requests in any time `t`, and `in_flight` at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub burst: NonZeroU32,
    /// The time in which one request is earned.
    pub replenish: Duration,
    /// How many may be under way at once, where the vendor counts that too.
    pub in_flight: Option<NonZeroU32>,
}

impl Limits {
    /// So many at once, and then one in each `replenish`.
    pub fn new(burst: u32, replenish: Duration) -> Limits {
        Limits { burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN), replenish, in_flight: None }
    }

    /// At most `max` requests in any window: part of them as a burst, the rest earned evenly.
    pub fn window(max: u32, window: Duration) -> Limits {
        let burst = (max * 2 / 5).max(1);
        let earned = (max - burst).max(1);
        Limits::new(burst, window / earned)
    }

    /// Also holds the number of requests that are under way at once; none is held by zero.
    pub fn at_once(self, most: u32) -> Limits {
        Limits { in_flight: NonZeroU32::new(most), ..self }
    }
}

/// A connector as the runtime holds it.
pub struct ErasedConnector {
    pub id: &'static str,
    pub title: &'static str,
    pub auth: Vec<Auth>,
    /// [`Connector::ACCOUNT`]
    pub account: &'static [&'static str],
    pub limits: Limits,
    pub config_schema: Value,
    pub tools: Vec<ErasedTool>,
    pub streams: Vec<ErasedStream>,
    pub webhook: Option<Webhook>,
    check: Check,
    subscribe: Subscribe,
}

/// What a call needs to open the connector: its section of the configuration, the credentials and
/// the HTTP of this call.
#[derive(Clone)]
pub struct Opening {
    pub config: Value,
    pub credentials: Credentials,
    pub http: Http,
}

type Subscribe = Arc<dyn Fn(Opening, Subscription) -> BoxFuture<'static, Result<DateTime<Utc>>> + Send + Sync>;
type Check = Arc<dyn Fn(Opening) -> BoxFuture<'static, Result<Account>> + Send + Sync>;
type RunErased = Arc<dyn Fn(Opening, Value) -> BoxFuture<'static, Result<Value>> + Send + Sync>;
type FetchErased = Arc<dyn Fn(&Opened, Page) -> BoxFuture<'static, Result<Batch>> + Send + Sync>;

/// A tool without its connector's type.
#[derive(Clone)]
pub struct ErasedTool {
    pub spec: Spec,
    run: RunErased,
}

impl ErasedTool {
    /// Opens the connector and runs the tool.
    pub async fn run(&self, opening: Opening, arguments: Value) -> Result<Value> {
        (self.run)(opening, arguments).await
    }
}

/// A stream without its connector's type.
#[derive(Clone)]
pub struct ErasedStream {
    pub name: &'static str,
    pub complete: bool,
    open: Arc<dyn Fn(Opening) -> Result<Opened> + Send + Sync>,
    fetch: FetchErased,
}

/// A connector that was opened for a walk over a stream.
pub struct Opened(Arc<dyn Any + Send + Sync>);

impl ErasedStream {
    pub fn open(&self, opening: Opening) -> Result<Opened> {
        (self.open)(opening)
    }

    pub async fn fetch(&self, opened: &Opened, page: Page) -> Result<Batch> {
        (self.fetch)(opened, page).await
    }
}

impl ErasedConnector {
    pub fn of<C: Connector>() -> ErasedConnector {
        ErasedConnector {
            id: C::ID,
            title: C::TITLE,
            auth: C::auth(),
            account: C::ACCOUNT,
            limits: C::limits(),
            config_schema: schema::input::<C::Config>().into(),
            tools: C::tools().into_iter().map(erase_tool).collect(),
            streams: C::streams().into_iter().map(erase_stream).collect(),
            webhook: C::webhook(),
            check: Arc::new(|opening| Box::pin(async move { open::<C>(opening)?.check().await })),
            subscribe: Arc::new(|opening, to| Box::pin(async move { open::<C>(opening)?.subscribe(to).await })),
        }
    }

    /// [`Connector::subscribe`]
    pub async fn subscribe(&self, opening: Opening, to: Subscription) -> Result<DateTime<Utc>> {
        (self.subscribe)(opening, to).await
    }

    /// Proves the credentials with the cheapest request.
    pub async fn check(&self, opening: Opening) -> Result<Account> {
        (self.check)(opening).await
    }
}

fn open<C: Connector>(opening: Opening) -> Result<C> {
    let config = serde_json::from_value(opening.config)
        .map_err(|e| Error::invalid_input(format!("configuration of {}: {e}", C::ID)))?;
    C::connect(config, opening.credentials, opening.http)
}

fn erase_tool<C: Connector>(tool: Tool<C>) -> ErasedTool {
    let tool = Arc::new(tool);
    ErasedTool {
        spec: tool.spec.clone(),
        run: Arc::new(move |opening, arguments| {
            let tool = tool.clone();
            Box::pin(async move { tool.run(&open::<C>(opening)?, arguments).await })
        }),
    }
}

fn erase_stream<C: Connector>(stream: Stream<C>) -> ErasedStream {
    let stream = Arc::new(stream);
    ErasedStream {
        name: stream.name,
        complete: stream.complete,
        open: Arc::new(|opening| Ok(Opened(Arc::new(open::<C>(opening)?)))),
        fetch: Arc::new(move |opened, page| {
            let (stream, connector) = (stream.clone(), opened.0.clone().downcast::<C>());
            Box::pin(async move {
                let connector = connector.map_err(|_| Error::internal("a stream was opened with another connector"))?;
                stream.fetch(&connector, page).await
            })
        }),
    }
}
