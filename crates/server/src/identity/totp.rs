//! The second factor: codes of an authenticator app (RFC 6238), each good once. The secret is sealed in the vault.

use sdk::{Error, Result};
use serde_json::json;
use store::people::{self as rows, Person, Totp as Kept};
use totp_rs::{Builder, Totp};

use super::people::actor;
use super::proof;
use crate::app::App;

/// Begins one, with the password: the address that an authenticator app reads, usually as a QR code. It counts from the
/// first code on.
pub async fn begin(app: &App, person: &Person, password: &str) -> Result<String> {
    proof::password(app, person, password).await?;
    if person.totp_since.is_some() {
        return Err(Error::conflict("there is a second factor already; remove it first"));
    }
    let secret = crate::random::bytes::<20>()?;
    record(app, person, "second_factor_begun").await?;
    keep(app, person, &secret).await?;
    let issuer = app.config.server.brand.replace(':', " ");
    let builder = Builder::new().with_secret(secret).with_account_name(person.email.clone()).with_issuer(Some(issuer));
    let made = builder.build().and_then(|totp| totp.to_url());
    made.map_err(|e| Error::internal(format!("the second factor has no address: {e}")))
}

async fn keep(app: &App, person: &Person, secret: &[u8]) -> Result<()> {
    let tenant = app.store.tenant(&person.tenant_id);
    let sealed = app.vault.current(&tenant).await?.seal(secret, &place(person))?;
    let kept = Kept { key_id: sealed.key_id, sealed: sealed.bytes };
    rows::set_totp(&tenant, person.id, Some(&kept)).await.map_err(crate::unavailable)
}

/// Whether the code is right now, and was not used before. How often it may be tried is [`proof`]'s to say.
pub(super) async fn verify(app: &App, person: &Person, code: &str) -> Result<bool> {
    let (Some(key_id), Some(sealed)) = (&person.totp_key_id, &person.totp_sealed) else { return Ok(false) };
    let tenant = app.store.tenant(&person.tenant_id);
    let secret = app.vault.key(&tenant, key_id).await?.open(sealed, &place(person))?;
    let totp: Totp = Builder::new()
        .with_secret(secret)
        .build()
        .map_err(|e| Error::internal(format!("the second factor cannot be read: {e}")))?;
    let now = u64::try_from(app.clock.now().timestamp()).unwrap_or_default();
    let Some(step) = totp.check(code.trim(), now) else { return Ok(false) };
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    rows::take_totp_step(&tenant, person.id, step).await.map_err(crate::unavailable)
}

/// The first right code: from now on it is asked for.
pub async fn confirm(app: &App, person: &Person, code: &str) -> Result<()> {
    proof::code(app, person, code).await?;
    if person.totp_since.is_some() {
        return Ok(());
    }
    record(app, person, "second_factor_confirmed").await?;
    let (tenant, now) = (app.store.tenant(&person.tenant_id), app.clock.now());
    rows::confirm_totp(&tenant, person.id, now).await.map_err(crate::unavailable)
}

async fn record(app: &App, person: &Person, event: &str) -> Result<()> {
    app.audit.event(&person.tenant_id, event, None, &actor(person), &json!({"person": person.id})).await
}

fn place(person: &Person) -> String {
    format!("{}/people/{}", person.tenant_id, person.id)
}
