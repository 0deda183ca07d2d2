//! API keys: shown once, kept as a SHA-256, scoped, revocable.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sdk::{Error, Result};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use store::api_keys::{self, NewApiKey};
use store::entities::api_keys::Model;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::actor::{Actor, ActorKind, DEFAULT_TENANT, Door, Scope};
use crate::app::App;

use super::fresh::Fresh;
use super::tokens::{digest, token};

/// Keys that were found lately.
pub type KeyCache = Fresh<Actor>;

/// The caller that this key stands for, unless it is unknown, expired or revoked.
pub async fn verify(app: &Arc<App>, key: &str) -> Result<Option<Actor>> {
    let hash = digest(key);
    if let Some(actor) = app.keys.get(&hash) {
        return Ok(Some(actor));
    }
    let now = app.clock.now();
    let found = api_keys::by_hash(&app.store.system(), &hash).await.map_err(crate::unavailable)?;
    let Some(row) = found.filter(|row| is_valid(row, &hash, now)) else { return Ok(None) };
    let actor = actor(&row);
    if let Err(e) = api_keys::touch(&app.store.tenant(&row.tenant_id), row.id, now).await {
        tracing::warn!(error = %e, "the last use of a key could not be noted");
    }
    app.keys.put(hash, actor.clone());
    Ok(Some(actor))
}

/// What a new key is to be.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Who or what uses it.
    pub name: String,
    /// Everything that tools do, if nothing is said.
    #[serde(default = "all_effects")]
    pub scopes: Vec<Scope>,
    /// The ecosystems whose tools it sees and calls; `None` is all.
    #[serde(default)]
    pub toolsets: Option<Vec<String>>,
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// What tools do: to a key that nothing is said of, everything.
pub fn all_effects() -> Vec<Scope> {
    vec![Scope::Read, Scope::Write, Scope::Destroy]
}

/// Makes a key for all tools and returns it; it cannot be shown again.
pub async fn create(
    app: &Arc<App>,
    by: &Actor,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<DateTime<Utc>>,
) -> Result<(Uuid, String)> {
    make(app, by, &NewKey { name: name.into(), scopes: scopes.to_vec(), toolsets: None, expires_at }).await
}

/// Makes a key and returns it; it cannot be shown again.
pub async fn make(app: &Arc<App>, by: &Actor, new: &NewKey) -> Result<(Uuid, String)> {
    check(app, by, new)?;
    let (id, key) = (Uuid::now_v7(), random()?);
    let detail = json!({
        "key": id, "name": new.name, "scopes": new.scopes, "toolsets": new.toolsets, "expires_at": new.expires_at,
    });
    app.audit.event(&by.tenant, "key_created", None, by, &detail).await?;
    insert(app, &by.tenant, (id, &key), new).await?;
    Ok((id, key))
}

/// All keys without their secrets, the oldest first.
pub async fn list(app: &Arc<App>, by: &Actor) -> Result<Vec<Model>> {
    may_manage(by)?;
    api_keys::list(&app.store.tenant(&by.tenant)).await.map_err(crate::unavailable)
}

fn may_manage(by: &Actor) -> Result<()> {
    if by.may(Scope::Manage) { Ok(()) } else { Err(Error::forbidden("only owners and admins manage keys")) }
}

fn check(app: &App, by: &Actor, new: &NewKey) -> Result<()> {
    may_manage(by)?;
    if !(1..=100).contains(&new.name.trim().chars().count()) {
        return Err(Error::invalid_input("name: 1 to 100 letters"));
    }
    if new.name.trim() == SEEDED {
        return Err(Error::invalid_input(format!("name: `{SEEDED}` is the one of MCP_API_KEY, which a start may end")));
    }
    if new.scopes.is_empty() || new.scopes.contains(&Scope::Manage) {
        return Err(Error::invalid_input("scopes: one or more of read, write, destroy, approve"));
    }
    let changes = |scope: &Scope| matches!(scope, Scope::Write | Scope::Destroy);
    if new.scopes.contains(&Scope::Approve) && new.scopes.iter().any(changes) {
        return Err(Error::invalid_input(
            "scopes: who asks does not approve; make one key with `approve`, another for tools",
        ));
    }
    if new.expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(Error::invalid_input("expires_at: it would be over before it began"));
    }
    let known: BTreeSet<&str> = app.tools.iter().map(|entry| entry.ecosystem).collect();
    let unknown = new.toolsets.iter().flatten().find(|name| !known.contains(name.as_str()));
    match (&new.toolsets, unknown) {
        (_, Some(unknown)) => {
            let known: Vec<&str> = known.into_iter().collect();
            Err(Error::invalid_input(format!("toolsets: there is no `{unknown}`; there are {}", known.join(", "))))
        }
        (Some(none), None) if none.is_empty() => {
            Err(Error::invalid_input("toolsets: name one, or leave it out for all"))
        }
        _ => Ok(()),
    }
}

/// Ends a key at once in this process, and within seconds in others.
pub async fn revoke(app: &Arc<App>, by: &Actor, id: Uuid) -> Result<bool> {
    may_manage(by)?;
    end(app, by, id).await
}

async fn end(app: &Arc<App>, by: &Actor, id: Uuid) -> Result<bool> {
    let tenant = app.store.tenant(&by.tenant);
    let found = api_keys::get(&tenant, id).await.map_err(crate::unavailable)?;
    if found.is_none_or(|key| key.revoked_at.is_some()) {
        return Ok(false);
    }
    app.audit.event(&by.tenant, "key_revoked", None, by, &json!({"key": id})).await?;
    let revoked = api_keys::revoke(&tenant, id, app.clock.now()).await.map_err(crate::unavailable)?;
    app.keys.forget();
    Ok(revoked)
}

/// Sees to it that there is a key: the one in `MCP_API_KEY`, or one that is made and kept beside
/// the embedded database. It takes the place of the one before.
pub async fn seed(app: &Arc<App>) -> Result<()> {
    let key = match app.config.secrets.get("MCP_API_KEY") {
        Some(key) => key.expose_secret().to_owned(),
        None => match std::fs::read_to_string(file(app)) {
            Ok(key) if !key.trim().is_empty() => key.trim().to_owned(),
            _ => make_file(app)?,
        },
    };
    if key.len() < 16 {
        return Err(Error::invalid_input("MCP_API_KEY is too short; use 16 characters or more"));
    }
    let known = api_keys::by_hash(&app.store.system(), &digest(&key)).await.map_err(crate::unavailable)?;
    revoke_other_seeded(app, &digest(&key)).await?;
    match known {
        None => plant(app, &key).await,
        Some(row) if row.revoked_at.is_some() => restore(app, &row).await,
        Some(_) => Ok(()),
    }
}

/// The name of the key that the installation starts with.
const SEEDED: &str = "first key";

/// A new first key ends the ones before: changing `MCP_API_KEY` is how a leaked one is rotated.
async fn revoke_other_seeded(app: &Arc<App>, hash: &str) -> Result<()> {
    let keys = api_keys::list(&app.store.tenant(DEFAULT_TENANT)).await.map_err(crate::unavailable)?;
    for key in keys.iter().filter(|key| key.name == SEEDED && key.revoked_at.is_none() && key.hash != hash) {
        end(app, &Actor::system(), key.id).await?;
    }
    Ok(())
}

async fn plant(app: &Arc<App>, key: &str) -> Result<()> {
    let new = NewKey { name: SEEDED.into(), scopes: all_effects(), toolsets: None, expires_at: None };
    let id = Uuid::now_v7();
    let detail = json!({"key": id, "name": SEEDED});
    app.audit.event(DEFAULT_TENANT, "key_created", None, &Actor::system(), &detail).await?;
    match insert(app, DEFAULT_TENANT, (id, key), &new).await {
        // Another replica that started at the same moment was first.
        Err(e) if is_duplicate(&e) => Ok(()),
        inserted => inserted,
    }
}

/// A key that gave way to another one and is named again is good again. One that somebody ended stays so.
async fn restore(app: &Arc<App>, row: &Model) -> Result<()> {
    if !gave_way(app, row).await? {
        tracing::warn!(
            key = %row.prefix,
            "the first key was revoked and stays so; to have one, set MCP_API_KEY to another, or empty it and remove {}",
            file(app).display()
        );
        return Ok(());
    }
    let detail = json!({"key": row.id, "name": row.name});
    app.audit.event(&row.tenant_id, "key_restored", None, &Actor::system(), &detail).await?;
    api_keys::restore(&app.store.tenant(&row.tenant_id), row.id).await.map_err(crate::unavailable)?;
    app.keys.forget();
    Ok(())
}

/// Whether the server ended it by itself, as the record says. Where no record is left, somebody may have.
async fn gave_way(app: &App, row: &Model) -> Result<bool> {
    let (tenant, id) = (app.store.tenant(&row.tenant_id), json!(row.id));
    let mut cursor = None;
    loop {
        let page = store::audit::events(&tenant, Some("key_revoked"), 200, cursor.as_deref()).await;
        let page = page.map_err(crate::unavailable)?;
        if let Some(end) = page.rows.iter().find(|event| event.detail["key"] == id) {
            return Ok(end.actor["kind"] == json!(ActorKind::System));
        }
        let Some(next) = page.next else { return Ok(false) };
        cursor = Some(next);
    }
}

fn is_duplicate(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<store::StoreError>());
    source.is_some_and(store::StoreError::is_duplicate)
}

/// The generated key, for the welcome text. A key that the operator chose is never printed.
pub fn shown(app: &App) -> Option<String> {
    if app.config.secrets.contains_key("MCP_API_KEY") {
        return None;
    }
    std::fs::read_to_string(file(app)).ok().map(|key| key.trim().to_owned())
}

fn file(app: &App) -> PathBuf {
    app.config.server.data_dir.join("api-key")
}

/// Writes a new key into a file that only its owner can read.
fn make_file(app: &App) -> Result<String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let (key, path) = (random()?, file(app));
    let write = || {
        std::fs::create_dir_all(&app.config.server.data_dir)?;
        // A kill in between must not leave half a key.
        let draft = path.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{key}")?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    };
    write().map_err(|e| {
        Error::unavailable(format!("{} cannot be written; set DATA_DIR", path.display())).with_source(e)
    })?;
    Ok(key)
}

async fn insert(app: &Arc<App>, tenant: &str, (id, key): (Uuid, &str), new: &NewKey) -> Result<()> {
    let new = NewApiKey {
        id,
        name: new.name.trim().to_owned(),
        prefix: key.chars().take(9).collect(),
        hash: digest(key),
        scopes: json!(new.scopes),
        toolsets: new.toolsets.as_ref().map(|toolsets| json!(toolsets)),
        expires_at: new.expires_at,
    };
    let tenant = app.store.tenant(tenant);
    api_keys::create(&tenant, new, app.clock.now()).await.map(drop).map_err(crate::unavailable)
}

fn is_valid(row: &Model, hash: &str, now: DateTime<Utc>) -> bool {
    let same: bool = row.hash.as_bytes().ct_eq(hash.as_bytes()).into();
    same && is_good(row, now)
}

/// Neither revoked nor over.
pub(super) fn is_good(key: &Model, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now)
}

fn actor(row: &Model) -> Actor {
    Actor {
        kind: ActorKind::Agent,
        id: row.id.to_string(),
        name: row.name.clone(),
        behalf_of: None,
        tenant: row.tenant_id.clone(),
        scopes: serde_json::from_value(row.scopes.clone()).unwrap_or_default(),
        toolsets: toolsets(row),
        role: None,
        second_factor: false,
        door: Door::Rest,
        client: None,
        correlation: None,
    }
}

/// A list that cannot be read is for nothing.
fn toolsets(row: &Model) -> Option<Arc<BTreeSet<String>>> {
    let kept = row.toolsets.as_ref()?;
    Some(Arc::new(serde_json::from_value(kept.clone()).unwrap_or_default()))
}

/// A prefix that scanners for leaked keys can find.
fn random() -> Result<String> {
    Ok(format!("emcp_{}", token()?))
}
