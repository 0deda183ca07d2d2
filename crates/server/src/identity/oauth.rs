//! OAuth 2.1 for AI clients: the server that people let them in at (RFC 6749 with the rules of OAuth 2.1, 7591, 7636,
//! 8414, 8707, 9207, 9728). The protocol is `oauth-as`; who may let whom in, and what a token opens, stands here.

mod kept;
mod redirects;
mod documents;
mod access;
mod grants;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use oauth_as::authorization::{AuthorizationError, AuthorizationRequest, ValidatedAuthorizationRequest};
use oauth_as::cimd::CimdPolicy;
use oauth_as::client::{Client, ClientId};
use oauth_as::events::{Event, EventSink};
use oauth_as::grant::GrantType;
use oauth_as::http::{AuthorizationService, ServiceBuilder};
use oauth_as::registration::{RegistrationAttempt, RegistrationConfig, RegistrationDecision, RegistrationPolicy};
use oauth_as::server::{AuthorizationServer, ServerConfig};
use oauth_as::store::Storage;
use sdk::{Error, Result};
use serde_json::{Value, json};
use store::Store;
use tokio::time::Instant;

use super::fresh::Fresh;
use crate::actor::Scope;
use crate::app::{App, Limiter};
use crate::clock::Clock;
use crate::config::Config;

pub use access::{Granted, looks_like_token, verify};
pub use documents::Documents;
pub use grants::{Client as ConnectedClient, agree, end_all, list, revoke};
pub use kept::Kept;
pub use redirects::{Target, read as read_redirect};

/// What a client can ask for, and what it is to a tool.
pub const SCOPES: [(&str, Scope); 2] = [("mcp:read", Scope::Read), ("mcp:write", Scope::Write)];

const CODE_SECONDS: u64 = 60;
const ACCESS_SECONDS: u64 = 3600;
/// After this long a person agrees anew.
const REFRESH_DAYS: u64 = 90;
/// Clients that nobody has let in yet.
const UNUSED: i64 = 1000;
const UNUSED_HOURS: i64 = 24;
const FORGOTTEN_DAYS: i64 = 180;
/// A document is fetched again after this long.
const DOCUMENT_MINUTES: i64 = 60;
const REGISTRATIONS_A_MINUTE: u32 = 20;
const TOKENS_A_MINUTE: u32 = 300;
/// A longer name of a client is cut.
const NAME: usize = 80;
/// How often it is looked whether there is somebody who can sign in, while there was nobody.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The authorization server of this installation.
pub struct OAuth {
    server: Arc<AuthorizationServer<Kept, Time>>,
    wire: AuthorizationService<Kept, Time>,
    /// Who issues: the public address.
    pub issuer: String,
    /// What tokens are for: the public address + `/mcp`.
    pub resource: String,
    documents: Option<Documents>,
    access: Fresh<Granted>,
    noticed: Noticed,
    /// Somebody who can sign in was seen; until then, when it was last looked.
    somebody: AtomicBool,
    looked: Mutex<Option<Instant>>,
    /// By address of the caller.
    pub registrations: Limiter,
    pub exchanges: Limiter,
}

/// Why an installation has no OAuth, in words for its operator.
pub fn why_off(config: &Config) -> Option<String> {
    if !config.oauth.enabled {
        return Some("switched off (OAUTH_ENABLED)".into());
    }
    if config.server.public_url.is_none() && config.server.port == 0 {
        return Some("the port is chosen anew with each start (PORT=0)".into());
    }
    let address = config.public_url();
    let url = url::Url::parse(&address).ok()?;
    let is_safe = url.scheme() == "https" || crate::config::is_loopback(&url);
    if !is_safe {
        return Some(format!("{address} is neither https nor on this machine; set TUNNEL_URL to an https address"));
    }
    (url.path() != "/").then(|| format!("{address} has a path; OAuth needs an address of its own"))
}

impl OAuth {
    /// `None`: the installation has none; [`why_off`] says why.
    pub fn new(config: &Config, store: &Store, clock: &Clock) -> Result<Option<OAuth>> {
        if why_off(config).is_some() {
            return Ok(None);
        }
        let issuer = config.public_url();
        let resource = format!("{issuer}/mcp");
        let noticed = Noticed::default();
        let documents = documents(config);
        let settings = settings(&issuer, &resource, documents.as_ref().map(|(policy, _)| policy.clone()));
        let server = AuthorizationServer::with_clock(settings, Kept::new(store, clock), Time(clock.clone()));
        let server = server.with_registration_policy(Box::new(Anybody)).with_event_sink(Box::new(noticed.clone()));
        let server = Arc::new(server);
        let wire = ServiceBuilder::new(server.clone()).build();
        let wire = wire.map_err(|e| Error::internal(format!("the authorization server has no routes: {e}")))?;
        Ok(Some(OAuth {
            server,
            wire,
            issuer,
            resource,
            documents: documents.map(|(policy, stand_in)| Documents::new(policy, stand_in)),
            access: Fresh::default(),
            noticed,
            somebody: AtomicBool::new(false),
            looked: Mutex::default(),
            registrations: Limiter::new(REGISTRATIONS_A_MINUTE),
            exchanges: Limiter::new(TOKENS_A_MINUTE),
        }))
    }

    /// RFC 8414. Only what there is: the library knows more flows than are offered.
    pub fn metadata(&self) -> Value {
        let mut metadata = json!(self.server.metadata());
        if let Some(map) = metadata.as_object_mut() {
            map.remove("device_authorization_endpoint");
            map.insert("grant_types_supported".into(), json!(["authorization_code", "refresh_token"]));
            let fetched = self.documents.as_ref().is_some_and(Documents::come_through);
            map.insert("client_id_metadata_document_supported".into(), json!(fetched));
        }
        metadata
    }

    /// RFC 9728.
    pub fn resource_metadata(&self, name: &str) -> Value {
        json!({
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": SCOPES.map(|(name, _)| name),
            "bearer_methods_supported": ["header"],
            "resource_name": name,
        })
    }

    /// `WWW-Authenticate` for somebody who has to be let in, or let in for more (`error`).
    pub fn challenge(&self, error: Option<&str>, scopes: &[&str]) -> String {
        let error = error.map(|error| format!("error=\"{error}\", ")).unwrap_or_default();
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", self.issuer);
        format!("Bearer {error}resource_metadata=\"{metadata}\", scope=\"{}\"", scopes.join(" "))
    }

    /// Hands a request to the library: `/token`, `/revoke`, `/register`. It ends what it began although the caller hangs
    /// up: between taking a code and remembering that it was taken nothing may stop.
    pub async fn exchange(&self, app: &Arc<App>, request: http::Request<oauth_as::http::Body>) -> Result<Response> {
        let wire = self.wire.clone();
        let work = app.running.spawn(async move { wire.handle(request).await });
        let answer = work.await.map_err(|_| Error::internal("the request ended in a way that it should not"))?;
        let was_used_twice = self.tell(app).await?;
        if was_used_twice || answer.status().is_success() {
            self.access.forget();
        }
        Ok(answer)
    }

    /// Puts on record what the library noticed, and says whether there was anything.
    async fn tell(&self, app: &Arc<App>) -> Result<bool> {
        let noticed = std::mem::take(&mut *self.noticed.lock());
        let any = !noticed.is_empty();
        for Notice { event, client, family } in noticed {
            metrics::counter!("oauth_replays_total").increment(1);
            let system = app.store.system();
            let tenant = match &family {
                Some(family) => store::oauth::tenant_of_family(&system, family).await.map_err(crate::unavailable)?,
                None => None,
            };
            let Some(tenant) = tenant else { continue };
            let by = grants::client_actor(&tenant, &client);
            app.audit.event(&tenant, event, None, &by, &json!({"client": client})).await?;
        }
        Ok(any)
    }

    /// The client of this id; one that is described by a document is looked at again when that was long ago.
    pub async fn client(&self, app: &Arc<App>, id: &str) -> Result<Option<Arc<Client>>> {
        if id.contains('\0') {
            return Ok(None);
        }
        let known = store::oauth::client(&app.store.system(), id).await.map_err(crate::unavailable)?;
        let old = app.clock.now() - chrono::Duration::minutes(DOCUMENT_MINUTES);
        let is_known = known.is_some_and(|row| !Documents::is_address(id) || row.fetched_at.is_some_and(|at| at > old));
        if let (false, Some(documents), true) = (is_known, &self.documents, Documents::is_address(id)) {
            let mut client = documents.fetch(id).await?;
            client.name = client.name.map(|name| tidy_name(&name));
            // As with those that register: what there is, whatever the document leaves out.
            client.allowed_scopes = all_scopes();
            client.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
            self.server.store().put_fetched(&client).await.map_err(unreachable)?;
        }
        self.server.store().get_client(&ClientId::new(id)).await.map_err(unreachable)
    }

    /// Judges what a client asks for. What is asked for is narrowed to the scopes that there are, and is for this server's
    /// MCP where nothing is said; the port of a program on the person's machine is its own.
    pub async fn validate(
        &self,
        client: &Client,
        mut request: AuthorizationRequest<'static>,
        scopes: &[Scope],
    ) -> Result<ValidatedAuthorizationRequest, AuthorizationError> {
        request.scope = Some(Cow::Owned(named(scopes)));
        if request.resource.is_empty() {
            request.resource.push(Cow::Owned(self.resource.clone()));
        }
        let asked = request.redirect_uri.as_deref().map(str::to_owned);
        if let Some(known) = asked.as_deref().and_then(|asked| redirects::registered(&client.redirect_uris, asked)) {
            request.redirect_uri = Some(Cow::Owned(known.clone()));
        }
        match (self.server.validate_authorization_request(&request).await, asked) {
            (Ok(valid), Some(asked)) => Ok(with_redirect(valid, asked)),
            (Err(AuthorizationError::Redirect(mut error)), Some(asked)) => {
                error.redirect_uri = asked;
                Err(AuthorizationError::Redirect(error))
            }
            (answer, _) => answer,
        }
    }

    /// After a registration: those that nobody lets in do not pile up.
    pub async fn make_room(&self, app: &App) -> Result<()> {
        store::oauth::forget_unused_beyond(&app.store.system(), UNUSED).await.map_err(crate::unavailable)?;
        Ok(())
    }

    /// Somebody may have set a password just now.
    pub fn look_again(&self) {
        *self.looked.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }

    fn looked_lately(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let lately = looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN);
        if !lately {
            *looked = Some(Instant::now());
        }
        lately
    }

    /// Forgets who was let in, after something of it was ended in this process.
    pub fn forget(&self) {
        self.access.forget();
    }
}

/// The authorization server, if there is one and somebody could let a client in.
pub async fn open(app: &App) -> Result<Option<&OAuth>> {
    let Some(oauth) = &app.oauth else { return Ok(None) };
    if oauth.somebody.load(Ordering::Relaxed) {
        return Ok(Some(oauth));
    }
    if oauth.looked_lately() {
        return Ok(None);
    }
    let somebody = store::people::anybody(&app.store.system()).await.map_err(crate::unavailable)?;
    // An owner who can sign in stays for good.
    oauth.somebody.store(somebody, Ordering::Relaxed);
    Ok(somebody.then_some(oauth))
}

/// Forgets what has expired, and the clients that nobody let in.
pub async fn tidy(app: &App) -> Result<()> {
    let (system, now) = (app.store.system(), app.clock.now());
    let nanos = now.timestamp_nanos_opt().unwrap_or(i64::MAX);
    store::oauth::sweep(&system, nanos).await.map_err(crate::unavailable)?;
    let unused = now - chrono::Duration::hours(UNUSED_HOURS);
    let forgotten = now - chrono::Duration::days(FORGOTTEN_DAYS);
    store::oauth::forget_unused(&system, unused, forgotten).await.map_err(crate::unavailable)?;
    if let Some(oauth) = &app.oauth {
        oauth.registrations.tidy();
        oauth.exchanges.tidy();
    }
    Ok(())
}

/// What a client calls itself, as it is shown and recorded.
pub fn tidy_name(name: &str) -> String {
    store::clean(Some(name)).unwrap_or_default().trim().chars().take(NAME).collect()
}

/// The scopes of ours among those that a client names; none named is all of them. Writing needs reading.
pub fn scopes_asked(text: Option<&str>) -> Vec<Scope> {
    let named = text.unwrap_or_default();
    let mut scopes: Vec<Scope> =
        SCOPES.iter().filter(|(name, _)| named.split(' ').any(|word| word == *name)).map(|(_, scope)| *scope).collect();
    if scopes.is_empty() {
        return SCOPES.map(|(_, scope)| scope).into();
    }
    if !scopes.contains(&Scope::Read) {
        scopes.insert(0, Scope::Read);
    }
    scopes
}

/// `mcp:read mcp:write`
pub fn named(scopes: &[Scope]) -> String {
    let names: Vec<&str> = SCOPES.iter().filter(|(_, scope)| scopes.contains(scope)).map(|(name, _)| *name).collect();
    names.join(" ")
}

fn settings(issuer: &str, resource: &str, cimd: Option<CimdPolicy>) -> ServerConfig {
    let mut settings = ServerConfig::new(issuer, format!("{issuer}/no-devices"));
    let mut registration = bounds();
    registration.management_enabled = false;
    settings.registration = Some(Box::new(registration));
    settings.cimd = cimd.map(Box::new);
    settings.scopes_supported = Some(SCOPES.map(|(name, _)| name.to_owned()).into());
    settings.allowed_resources = Some([resource.into()].into());
    settings.authorization_code_ttl = Duration::from_secs(CODE_SECONDS);
    settings.access_token_ttl = Duration::from_secs(ACCESS_SECONDS);
    settings.refresh_token_ttl = Some(Duration::from_secs(REFRESH_DAYS * 24 * 3600));
    settings
}

fn bounds() -> RegistrationConfig {
    let mut bounds = RegistrationConfig::new();
    bounds.allowed_scopes = all_scopes();
    bounds
}

fn all_scopes() -> oauth_as::scope::ScopeSet {
    oauth_as::scope::ScopeSet::from_tokens(SCOPES.map(|(name, _)| name)).unwrap_or_default()
}

/// What documents may say, and where tests serve them from.
fn documents(config: &Config) -> Option<(CimdPolicy, Option<String>)> {
    if !config.oauth.client_documents {
        return None;
    }
    let mut policy = CimdPolicy::new();
    // Programs on a person's machine are described by documents of their maker.
    policy.redirect_uris_same_origin = false;
    policy.registration_bounds = bounds();
    Some((policy, config.oauth.documents_from.clone()))
}

fn with_redirect(mut request: ValidatedAuthorizationRequest, asked: String) -> ValidatedAuthorizationRequest {
    request.redirect_uri = asked;
    request
}

fn unreachable(error: oauth_as::store::StorageError) -> Error {
    Error::unavailable("the records of connected clients cannot be reached").with_source(error)
}

/// What the library answers with.
pub type Response = http::Response<oauth_as::http::Body>;

/// Our clock for the library.
pub struct Time(Clock);

impl oauth_as::server::Clock for Time {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// Anybody may register; what opens a door is a person's consent.
struct Anybody;

impl RegistrationPolicy for Anybody {
    fn authorize(&self, _: &RegistrationAttempt<'_>) -> RegistrationDecision {
        RegistrationDecision::Allow
    }
}

/// What the library noticed and nobody has put on record yet.
#[derive(Clone, Default)]
struct Noticed(Arc<Mutex<Vec<Notice>>>);

struct Notice {
    event: &'static str,
    client: String,
    /// Whose tokens were ended.
    family: Option<String>,
}

impl Noticed {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Notice>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl EventSink for Noticed {
    fn on_event(&self, event: Event<'_>) {
        let (event, client, family) = match event {
            Event::AuthorizationCodeReplayDetected { client_id, family_id, .. } => {
                ("client_code_replayed", client_id, family_id)
            }
            Event::RefreshTokenReuseDetected { client_id, family_id, .. } => {
                ("client_token_reused", client_id, Some(family_id))
            }
            _ => return,
        };
        tracing::warn!(event, client, "what a client held was used twice; it is ended");
        self.lock().push(Notice { event, client: client.to_owned(), family: family.map(str::to_owned) });
    }
}
