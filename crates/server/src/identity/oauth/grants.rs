//! Who was let in: agreeing, the list, and cutting off.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use oauth_as::authorization::{AuthorizationError, ValidatedAuthorizationRequest};
use oauth_as::client::{Client as Registered, ClientId};
use oauth_as::consent::ConsentRecord;
use oauth_as::server::UserApproval;
use oauth_as::store::Storage;
use sdk::{Error, Result};
use serde::Serialize;
use serde_json::json;
use store::people::Person;

use super::{OAuth, Target, redirects, unreachable};
use crate::actor::{Actor, ActorKind, Door, OAUTH, Scope};
use crate::app::App;

/// An AI client that a person let in.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Client {
    pub id: String,
    /// What it calls itself; not proven.
    pub name: String,
    /// The address that describes it, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where people are sent back to: a host, `this computer`, or an app's scheme.
    pub redirects: Vec<String>,
    pub scopes: Vec<String>,
    /// The person who let it in.
    pub person: String,
    pub person_id: String,
    pub since: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A person lets a client in: on record first, then the consent, then the code that the client gets. The answer is where
/// the browser goes next.
pub async fn agree(
    app: &Arc<App>,
    oauth: &OAuth,
    by: &Actor,
    client: &Registered,
    request: &ValidatedAuthorizationRequest,
) -> Result<String> {
    let detail = json!({
        "client": request.client_id.as_str(),
        "name": client.name,
        "redirect": request.redirect_uri,
        "scopes": request.scope.to_string(),
    });
    app.audit.event(&by.tenant, "client_let_in", None, by, &detail).await?;
    let subject = subject(by);
    let (scope, resource) = (&request.scope, request.resource.as_slice());
    let kept = oauth.server.record_consent(&request.client_id, &subject, scope, resource, None).await;
    kept.map_err(unreachable)?;
    store::oauth::used(&app.store.system(), request.client_id.as_str(), app.clock.now())
        .await
        .map_err(crate::unavailable)?;
    match oauth.server.issue_authorization_code(UserApproval::granted(request, subject)).await {
        Ok(answer) => Ok(answer.location(&request.redirect_uri)),
        Err(AuthorizationError::Redirect(error)) => Ok(error.location()),
        Err(AuthorizationError::Direct(error)) => Err(Error::unavailable(error.to_string())),
    }
}

/// The clients that a business let in, the newest first: all of them for those who manage, otherwise the own ones.
pub async fn list(app: &Arc<App>, by: &Actor) -> Result<Vec<Client>> {
    let tenant = app.store.tenant(&by.tenant);
    let people = store::people::list(&tenant).await.map_err(crate::unavailable)?;
    let mut clients = Vec::new();
    for row in store::oauth::consents(&tenant).await.map_err(crate::unavailable)? {
        let read: Result<ConsentRecord, _> = serde_json::from_slice(&row.body);
        let consent = read.map_err(|e| Error::internal("a consent cannot be read").with_source(e))?;
        if may_see(by, &consent) {
            clients.push(describe(app, &consent, &people, row.used_at).await?);
        }
    }
    Ok(clients)
}

/// Cuts a client off: at once in this process, and within seconds in others.
pub async fn revoke(app: &Arc<App>, by: &Actor, id: &str) -> Result<()> {
    let missing = || Error::not_found(format!("there is no connected client {id}"));
    let clients = list(app, by).await?;
    let client = clients.iter().find(|client| client.id == id).ok_or_else(missing)?;
    let detail = json!({"client": client.name, "id": id, "person": client.person_id});
    app.audit.event(&by.tenant, "client_cut_off", None, by, &detail).await?;
    end(app, id).await
}

/// Cuts off every client that this person let in.
pub async fn end_all(app: &Arc<App>, tenant: &str, person: &str) -> Result<()> {
    let subject = format!("{tenant}/{person}");
    let consents = store::oauth::consents_of(&app.store.system(), &subject).await.map_err(crate::unavailable)?;
    for consent in consents {
        end(app, &consent.id).await?;
    }
    Ok(())
}

async fn end(app: &App, consent: &str) -> Result<()> {
    // What is under way may still hold a refresh token of the longest life.
    let now = app.clock.now();
    let until = now + chrono::Duration::days(super::REFRESH_DAYS as i64);
    let nanos = |at: DateTime<Utc>| at.timestamp_nanos_opt().unwrap_or(i64::MAX);
    let window = store::oauth::Window { recorded: nanos(now), until: nanos(until) };
    store::oauth::revoke_consent(&app.store.system(), consent, window).await.map_err(crate::unavailable)?;
    if let Some(oauth) = &app.oauth {
        oauth.forget();
    }
    Ok(())
}

fn may_see(by: &Actor, consent: &ConsentRecord) -> bool {
    by.may(Scope::Manage) || (by.role.is_some() && *consent.subject == *subject(by))
}

async fn describe(
    app: &App,
    consent: &ConsentRecord,
    people: &[Person],
    last_used_at: Option<DateTime<Utc>>,
) -> Result<Client> {
    let person_id = consent.subject.split_once('/').map_or("", |(_, person)| person).to_owned();
    let person = people.iter().find(|person| person.id.to_string() == person_id);
    let registered = registered(app, &consent.client_id).await?;
    let address = Some(consent.client_id.as_str()).filter(|id| super::Documents::is_address(id));
    let mut redirects: Vec<String> = Vec::new();
    for target in registered.iter().flat_map(|client| &client.redirect_uris).filter_map(|uri| redirects::read(uri).ok())
    {
        let shown = shown(&target);
        if !redirects.contains(&shown) {
            redirects.push(shown);
        }
    }
    Ok(Client {
        id: consent.consent_id.to_string(),
        name: registered.and_then(|client| client.name.clone()).unwrap_or_else(|| "AI client".into()),
        address: address.map(str::to_owned),
        redirects,
        scopes: consent.scope.iter().map(|scope| scope.as_str().to_owned()).collect(),
        person: person.map_or_else(|| "somebody who is gone".into(), |person| person.name.clone()),
        person_id,
        since: consent.granted_at.into(),
        last_used_at,
    })
}

async fn registered(app: &App, id: &ClientId) -> Result<Option<Arc<Registered>>> {
    super::Kept::new(&app.store, &app.clock).get_client(id).await.map_err(unreachable)
}

/// A target as people read it.
pub fn shown(target: &Target) -> String {
    match target {
        Target::Site(host) => host.clone(),
        Target::Machine => "this computer".into(),
        Target::App(scheme) => format!("{scheme}://"),
    }
}

/// `default/0190…`
fn subject(by: &Actor) -> String {
    format!("{}/{}", by.tenant, by.id)
}

/// Whom the record names where a client itself did something.
pub(super) fn client_actor(tenant: &str, client: &str) -> Actor {
    Actor {
        kind: ActorKind::Agent,
        id: format!("{OAUTH}{client}"),
        name: "AI client".into(),
        tenant: tenant.into(),
        scopes: Vec::new(),
        door: Door::Rest,
        ..Actor::stdio()
    }
}
