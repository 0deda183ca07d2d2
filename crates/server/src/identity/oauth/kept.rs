//! The authorization server's records over our store.
//!
//! What finds a code or a token is its SHA-256; the record itself is sealed with the code or token, so that the database
//! alone opens nothing. The contract is `oauth_as::store::Storage`, and its conformance harness runs in the tests.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use oauth_as::authorization::{AuthorizationCodeRecord, AuthorizationCodeState};
use oauth_as::client::{Client, ClientId};
use oauth_as::consent::ConsentRecord;
use oauth_as::device::{DeviceGrant, DeviceGrantState, normalize_user_code};
use oauth_as::store::{RevocationWindow, Storage, StorageError, WriteOutcome};
use oauth_as::token::{IssuedToken, RefreshTokenRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::oauth::{self as rows, Kind, Record, Window};

use crate::clock::Clock;
use crate::identity::tokens::digest;
use crate::vault;

type Result<T> = std::result::Result<T, StorageError>;

/// Where the authorization server keeps what it issued.
pub struct Kept {
    system: store::System,
    clock: Clock,
}

impl Kept {
    pub fn new(store: &store::Store, clock: &Clock) -> Kept {
        Kept { system: store.system(), clock: clock.clone() }
    }

    /// Keeps a client that is described by the document at its id.
    pub(super) async fn put_fetched(&self, client: &Client) -> Result<()> {
        let now = self.clock.now();
        rows::put_client(&self.system, client.client_id.as_str(), &text(client)?, true, now).await.map_err(failed)
    }
}

impl Storage for Kept {
    async fn get_client(&self, client_id: &ClientId) -> Result<Option<Arc<Client>>> {
        // Strangers choose what they send here; PostgreSQL keeps no NUL.
        if client_id.as_str().contains('\0') {
            return Ok(None);
        }
        let row = rows::client(&self.system, client_id.as_str()).await.map_err(failed)?;
        row.map(|row| read(row.record.as_bytes()).map(Arc::new)).transpose()
    }

    async fn put_client(&self, client: Client) -> Result<()> {
        let now = self.clock.now();
        rows::put_client(&self.system, client.client_id.as_str(), &text(&client)?, false, now).await.map_err(failed)
    }

    async fn compare_and_swap_client(&self, expected: &Client, updated: Client) -> Result<bool> {
        let (expected, record) = (text(expected)?, text(&updated)?);
        rows::swap_client(&self.system, updated.client_id.as_str(), &expected, &record).await.map_err(failed)
    }

    async fn delete_client(&self, client_id: &ClientId, window: RevocationWindow) -> Result<bool> {
        named(client_id.as_str())?;
        rows::delete_client(&self.system, client_id.as_str(), of(window)).await.map_err(failed)
    }

    async fn put_device_grant(&self, grant: DeviceGrant) -> Result<()> {
        rows::put(&self.system, Kind::Device, &device(&grant)?).await.map_err(failed)
    }

    async fn get_device_grant(&self, device_code: &str) -> Result<Option<DeviceGrant>> {
        let row = rows::get(&self.system, Kind::Device, &digest(device_code)).await.map_err(failed)?;
        row.map(|row| read(&row.body)).transpose()
    }

    async fn find_device_grant_by_user_code(&self, normalized_user_code: &str) -> Result<Option<DeviceGrant>> {
        let row = rows::by_alias(&self.system, Kind::Device, normalized_user_code).await.map_err(failed)?;
        row.map(|row| read(&row.body)).transpose()
    }

    async fn take_device_grant(&self, device_code: &str) -> Result<Option<DeviceGrant>> {
        let row = rows::take(&self.system, Kind::Device, &digest(device_code)).await.map_err(failed)?;
        row.map(|row| read(&row.body)).transpose()
    }

    async fn compare_and_swap_device_grant(&self, expected: &DeviceGrantState, updated: DeviceGrant) -> Result<bool> {
        rows::swap(&self.system, Kind::Device, &state(expected)?, &device(&updated)?).await.map_err(failed)
    }

    async fn put_authorization_code(&self, record: AuthorizationCodeRecord) -> Result<()> {
        rows::put(&self.system, Kind::Code, &code(&record)?).await.map_err(failed)
    }

    async fn compare_and_swap_authorization_code(
        &self,
        expected: &AuthorizationCodeState,
        updated: AuthorizationCodeRecord,
    ) -> Result<bool> {
        rows::swap(&self.system, Kind::Code, &state(expected)?, &code(&updated)?).await.map_err(failed)
    }

    async fn take_authorization_code(&self, code: &str) -> Result<Option<AuthorizationCodeRecord>> {
        let row = rows::take(&self.system, Kind::Code, &digest(code)).await.map_err(failed)?;
        row.map(|row| opened(code, &row)).transpose()
    }

    async fn put_token(&self, record: IssuedToken) -> Result<WriteOutcome> {
        let row = token(&record)?;
        rows::put_unless_revoked(&self.system, Kind::Token, &row).await.map(outcome).map_err(failed)
    }

    async fn get_token(&self, access_token: &str) -> Result<Option<Arc<IssuedToken>>> {
        let row = rows::get(&self.system, Kind::Token, &digest(access_token)).await.map_err(failed)?;
        row.map(|row| opened(access_token, &row).map(Arc::new)).transpose()
    }

    async fn delete_token(&self, access_token: &str) -> Result<()> {
        rows::remove(&self.system, Kind::Token, &digest(access_token)).await.map_err(failed)
    }

    async fn put_refresh_token(&self, record: RefreshTokenRecord) -> Result<WriteOutcome> {
        let row = refresh(&record)?;
        rows::put_unless_revoked(&self.system, Kind::Refresh, &row).await.map(outcome).map_err(failed)
    }

    async fn get_refresh_token(&self, refresh_token: &str) -> Result<Option<Arc<RefreshTokenRecord>>> {
        let row = rows::get(&self.system, Kind::Refresh, &digest(refresh_token)).await.map_err(failed)?;
        row.map(|row| opened(refresh_token, &row).map(Arc::new)).transpose()
    }

    async fn rotate_refresh_token(
        &self,
        expected: &RefreshTokenRecord,
        spent: &RefreshTokenRecord,
        access: &IssuedToken,
        next: Option<&RefreshTokenRecord>,
    ) -> Result<bool> {
        let (expected, spent, access) = (state(expected)?, refresh(spent)?, token(access)?);
        let next = next.map(refresh).transpose()?;
        rows::rotate(&self.system, &expected, &spent, &access, next.as_ref()).await.map_err(failed)
    }

    async fn take_refresh_token(&self, refresh_token: &str) -> Result<Option<RefreshTokenRecord>> {
        let row = rows::take(&self.system, Kind::Refresh, &digest(refresh_token)).await.map_err(failed)?;
        row.map(|row| opened(refresh_token, &row)).transpose()
    }

    async fn revoke_token_family(&self, family_id: &str, window: RevocationWindow) -> Result<u64> {
        named(family_id)?;
        rows::revoke_family(&self.system, family_id, of(window)).await.map_err(failed)
    }

    async fn put_consent(&self, record: ConsentRecord) -> Result<()> {
        rows::put(&self.system, Kind::Consent, &consent(&record)?).await.map_err(failed)
    }

    async fn compare_and_swap_consent(&self, expected: Option<&ConsentRecord>, updated: ConsentRecord) -> Result<bool> {
        let expected = expected.map(state).transpose()?;
        rows::swap_consent(&self.system, expected.as_deref(), &consent(&updated)?).await.map_err(failed)
    }

    async fn get_consent(&self, consent_id: &str) -> Result<Option<Arc<ConsentRecord>>> {
        let row = rows::get(&self.system, Kind::Consent, consent_id).await.map_err(failed)?;
        row.map(|row| read(&row.body).map(Arc::new)).transpose()
    }

    async fn find_consent(&self, client_id: &ClientId, subject: &str) -> Result<Option<Arc<ConsentRecord>>> {
        let row = rows::consent_of(&self.system, client_id.as_str(), subject).await.map_err(failed)?;
        row.map(|row| read(&row.body).map(Arc::new)).transpose()
    }

    async fn consents_for_subject(&self, subject: &str) -> Result<Vec<Arc<ConsentRecord>>> {
        let found = rows::consents_of(&self.system, subject).await.map_err(failed)?;
        found.iter().map(|row| read(&row.body).map(Arc::new)).collect()
    }

    async fn revoke_consent(&self, consent_id: &str, window: RevocationWindow) -> Result<u64> {
        let Some(found) = self.get_consent(consent_id).await? else { return Ok(0) };
        named(found.client_id.as_str())?;
        named(&found.subject)?;
        let removed = rows::revoke_consent(&self.system, consent_id, of(window)).await.map_err(failed)?;
        Ok(removed.unwrap_or(0))
    }

    async fn sweep_expired(&self, now: SystemTime) -> Result<u64> {
        rows::sweep(&self.system, nanos(now)).await.map_err(failed)
    }
}

fn code(record: &AuthorizationCodeRecord) -> Result<Record> {
    Ok(Record {
        id: digest(&record.code),
        client_id: record.client_id.as_str().to_owned(),
        state: state(&record.state)?,
        body: sealed(&record.code, record)?,
        established: nanos(record.issued_at),
        expires: Some(nanos(record.expires_at)),
        ..of_person(Some(&record.subject))
    })
}

fn token(record: &IssuedToken) -> Result<Record> {
    Ok(Record {
        id: digest(&record.access_token),
        client_id: record.client_id.as_str().to_owned(),
        family: record.family_id.clone(),
        body: sealed(&record.access_token, record)?,
        established: nanos(record.grant_established_at),
        expires: Some(nanos(record.expires_at)),
        ..of_person(record.subject.as_deref())
    })
}

fn refresh(record: &RefreshTokenRecord) -> Result<Record> {
    Ok(Record {
        id: digest(&record.refresh_token),
        client_id: record.client_id.as_str().to_owned(),
        family: Some(record.family_id.clone()),
        state: state(record)?,
        body: sealed(&record.refresh_token, record)?,
        established: nanos(record.grant_established_at),
        expires: record.expires_at.map(nanos),
        ..of_person(record.subject.as_deref())
    })
}

fn consent(record: &ConsentRecord) -> Result<Record> {
    Ok(Record {
        id: record.consent_id.to_string(),
        client_id: record.client_id.as_str().to_owned(),
        state: state(record)?,
        body: text(record)?.into_bytes(),
        established: nanos(record.granted_at),
        ..of_person(Some(&record.subject))
    })
}

fn device(grant: &DeviceGrant) -> Result<Record> {
    let approved = match &grant.state {
        DeviceGrantState::Approved { subject } => Some(subject.as_str()),
        DeviceGrantState::Pending | DeviceGrantState::Denied => None,
    };
    Ok(Record {
        id: digest(&grant.device_code),
        client_id: grant.client_id.as_str().to_owned(),
        alias: Some(normalize_user_code(&grant.user_code)),
        state: state(&grant.state)?,
        body: text(grant)?.into_bytes(),
        established: nanos(grant.created_at),
        expires: Some(nanos(grant.expires_at)),
        ..of_person(approved)
    })
}

/// A subject is the tenant and the person, `default/0190…`.
fn of_person(subject: Option<&str>) -> Record {
    let tenant = subject.and_then(|subject| subject.split_once('/')).map(|(tenant, _)| tenant.to_owned());
    Record { tenant_id: tenant.unwrap_or_default(), subject: subject.map(str::to_owned), ..Record::default() }
}

/// What a compare-and-swap compares. It is a hash, because it may hold tokens.
fn state<T: Serialize>(value: &T) -> Result<String> {
    Ok(digest(&text(value)?))
}

fn sealed<T: Serialize>(secret: &str, value: &T) -> Result<Vec<u8>> {
    vault::seal_with(secret, text(value)?.as_bytes(), &digest(secret)).map_err(|e| StorageError::new(e.message))
}

fn opened<T: DeserializeOwned>(secret: &str, row: &Record) -> Result<T> {
    let plain = vault::open_with(secret, &row.body, &row.id).map_err(|e| StorageError::new(e.message))?;
    read(&plain)
}

fn text<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StorageError::new(e.to_string()))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| StorageError::new(e.to_string()))
}

fn outcome(written: bool) -> WriteOutcome {
    if written { WriteOutcome::Applied } else { WriteOutcome::RefusedRevoked }
}

/// The empty text names nothing that could be ended.
fn named(scope: &str) -> Result<()> {
    if scope.is_empty() { Err(StorageError::new("nothing is named that could be ended")) } else { Ok(()) }
}

fn of(window: RevocationWindow) -> Window {
    Window { recorded: nanos(window.recorded_at), until: nanos(window.until) }
}

fn nanos(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

fn failed(error: store::StoreError) -> StorageError {
    tracing::error!(%error, "the authorization server's records cannot be reached");
    StorageError::new(error.to_string())
}
