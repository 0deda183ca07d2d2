//! `App`: what every handler gets. One struct of public fields; two of them run in one test.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use metrics_exporter_prometheus::PrometheusHandle;
use sandbox::Sandbox;
use sdk::{Error, Result, http};
use store::{OpenOptions, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::DEFAULT_TENANT;
use crate::api::{Proxies, Trusted};
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::{Everybodys, Outside, Shared};
use crate::identity::Passwords;
use crate::identity::keys::KeyCache;
use crate::identity::oauth::OAuth;
use crate::policy::Policy;
use crate::policy::budgets::Budgets;
use crate::runs::Runs;
use crate::tenants::{self, Tenants};
use crate::tools::Catalogue;
use crate::vault::Vault;
use crate::{approvals, brain, connections, containment, decisions, health, housekeeping, sync, system, webhooks};

/// A running installation.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub audit: Audit,
    pub tools: Catalogue,
    pub policy: Policy,
    pub contained: containment::Noted,
    pub budgets: Budgets,
    /// Of each tenant.
    pub connections: Everybodys,
    pub tenants: Tenants,
    pub runs: Runs,
    pub syncs: sync::Gates,
    pub webhooks: webhooks::Intake,
    pub keys: KeyCache,
    pub passwords: Passwords,
    /// Where AI clients are let in; `None` where the address does not allow it.
    pub oauth: Option<OAuth>,
    pub vault: Arc<Vault>,
    pub limiter: Limiter,
    /// Calls of a whole tenant.
    pub tenant_limiter: Limiter,
    /// Attempts to sign in, by address.
    pub attempts: Limiter,
    /// The same, by address and e-mail address.
    pub guesses: Limiter,
    pub trusted: Trusted,
    pub proxies: Proxies,
    pub metrics: PrometheusHandle,
    pub pulse: health::Pulse,
    /// Calls that are running; a shutdown waits for them.
    pub running: TaskTracker,
    pub shutdown: CancellationToken,
    /// The other side of every ecosystem that is not connected.
    pub sandbox: Sandbox,
    /// The one client of the process.
    pub http: reqwest::Client,
}

/// What an app is made from, beside its configuration.
pub struct Parts {
    pub clock: Clock,
    pub metrics: PrometheusHandle,
    /// Hold the embedded database alone; a command beside a running server does not.
    pub exclusive: bool,
    /// How patient outbound requests are.
    pub outbound: http::Settings,
}

impl App {
    /// Opens everything that an installation needs. Nothing runs by itself until [`App::start`].
    pub async fn open(config: Config, parts: Parts) -> Result<Arc<App>> {
        let wall = config.tenants.wall.into();
        let options = OpenOptions { migrate: true, exclusive: parts.exclusive, wall, ..OpenOptions::default() };
        let store = Store::open(&config.database_url(), options).await.map_err(unopened)?;
        tenants::ensure_own(&store, &config, parts.clock.now()).await?;
        let audit = Audit::start(store.clone(), parts.clock.clone(), config.audit.store_responses);
        let sandbox = start_sandbox(&config, &parts.clock).await?;
        let vault = Arc::new(Vault::new(&config, &parts.clock)?);
        let http = client()?;
        let outside = Outside {
            client: http.clone(),
            settings: parts.outbound,
            observer: audit.observers().of(DEFAULT_TENANT),
            shared: Shared::on(&store, &parts.clock),
            tenant: store.tenant(DEFAULT_TENANT),
            vault: vault.clone(),
            clock: parts.clock.clone(),
        };
        let oauth = OAuth::new(&config, &store, &parts.clock)?;
        let (connectors, policy) = (connectors::all(), Policy::new(&config.policy)?);
        let tools = Catalogue::new(&connectors, built_in())?;
        let connections = Everybodys::new(connectors, &config, &sandbox, outside, audit.observers()).await?;
        let runs = Runs::new(store.clone(), parts.clock.clone(), crate::runs::Settings::default());
        let app = Arc::new(App {
            policy,
            contained: containment::Noted::default(),
            budgets: Budgets::default(),
            limiter: Limiter::new(config.server.calls_per_minute),
            tenant_limiter: Limiter::new(config.tenants.calls_per_minute),
            tenants: Tenants::default(),
            webhooks: webhooks::Intake::new(&config.webhooks),
            trusted: Trusted::new(&config.server),
            proxies: Proxies::new(&config.server),
            attempts: Limiter::new(ATTEMPTS_A_MINUTE),
            guesses: Limiter::new(GUESSES_A_MINUTE),
            keys: KeyCache::default(),
            passwords: Passwords::default(),
            oauth,
            vault,
            pulse: health::Pulse::default(),
            running: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            clock: parts.clock,
            metrics: parts.metrics,
            config,
            store,
            audit,
            tools,
            connections,
            runs,
            syncs: sync::Gates::default(),
            sandbox,
            http,
        });
        app.policy.check(&app.tools)?;
        sync::register(&app);
        webhooks::register(&app);
        approvals::register(&app);
        housekeeping::register(&app);
        connections::notice_changed_accounts(&app, app.connections.own()).await?;
        Ok(app)
    }

    /// Starts what works by itself: the runs, and the schedules that feed them.
    pub async fn start(self: &Arc<App>) -> Result<()> {
        housekeeping::schedule(self).await?;
        for connections in tenants::connections(self).await? {
            sync::schedule(self, &connections).await?;
        }
        self.runs.start(self.shutdown.clone());
        Ok(())
    }

    /// Finishes running calls, then the audit. Nothing new is accepted meanwhile.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.running.close();
        let patience = Duration::from_secs(self.config.server.shutdown_seconds);
        if tokio::time::timeout(patience, self.running.wait()).await.is_err() {
            tracing::warn!(calls = self.running.len(), "calls were still running after the grace period");
        }
        self.runs.stopped(patience).await;
        self.audit.close().await;
        audit::note_ends(self).await;
    }
}

/// The tools that answer from the brain or the server itself.
fn built_in() -> Vec<(&'static str, sdk::Tool<crate::calls::Scope>)> {
    let mut tools = brain::tools::tools();
    tools.extend(sync::tools());
    tools.extend(system::tools());
    tools.extend(decisions::tools());
    tools
}

/// The built-in business of one tenant, behind a port of its own.
pub(crate) async fn start_sandbox(config: &Config, clock: &Clock) -> Result<Sandbox> {
    let mut options = sandbox::Options::new(clock.now());
    options.enforce_limits = false;
    options.seed = config.sandbox.seed;
    options.contacts = config.sandbox.contacts;
    options.delay = Duration::from_millis(config.sandbox.delay_ms);
    let address = ([127, 0, 0, 1], 0).into();
    sandbox::start(options, address)
        .await
        .map_err(|e| Error::unavailable("the sample business could not be started on 127.0.0.1").with_source(e))
}

/// The one client of the process: a new TLS context costs 50 ms of CPU. Redirects are not
/// followed, because they would carry credentials elsewhere.
#[expect(clippy::disallowed_methods, reason = "the one HTTP client of the process")]
pub fn client() -> Result<reqwest::Client> {
    // A second installation in the same process finds the provider in place.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("enterprise-mcp/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Error::internal("the HTTP client could not be made").with_source(e))
}

/// A client of its own for an address that a stranger chose: it connects to what the name was found to be and judged, and
/// to no proxy.
#[expect(clippy::disallowed_methods, reason = "the one client cannot be told where a name leads")]
pub fn client_to(host: &str, addresses: &[std::net::SocketAddr]) -> Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .resolve_to_addrs(host, addresses)
        .no_proxy()
        .https_only(true)
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("enterprise-mcp/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Error::internal("the HTTP client could not be made").with_source(e))
}

fn unopened(error: store::StoreError) -> Error {
    Error::unavailable(error.to_string()).with_source(error)
}

/// To sign in, from one address. Each costs some 20 ms of a processor.
const ATTEMPTS_A_MINUTE: u32 = 100;
/// To sign in as one person, from one address.
const GUESSES_A_MINUTE: u32 = 20;

/// At most so many calls a minute and caller.
pub struct Limiter {
    limiter: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Limiter {
    pub fn new(per_minute: u32) -> Limiter {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        Limiter { limiter: RateLimiter::keyed(Quota::per_minute(per_minute)), clock: DefaultClock::default() }
    }

    /// Forgets who could call as often as anybody by now.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    /// Takes one call, or says how long to wait.
    pub fn check(&self, caller: &String) -> Result<(), Duration> {
        self.limiter.check_key(caller).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}
