//! What a call would change: told to the person who decides it, and looked at again before it is carried out.

use std::sync::Arc;
use std::time::Duration;

use sdk::tool::DRY_RUN;
use sdk::{Effect, Error, Kind, Result};
use serde_json::{Value, json};
use store::chain::canonical_json;

use super::{Approved, At, Begun, Request, explain, run};
use crate::actor::Actor;
use crate::app::App;
use crate::tools::Entry;

/// How long whoever asks waits for it. An approval can do without.
const PATIENCE: Duration = Duration::from_secs(10);

/// A call that may change something.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub app: &'a Arc<App>,
    pub actor: &'a Actor,
    pub entry: &'a Entry,
    pub request: &'a Request,
    pub begun: &'a Begun,
    pub own: &'a Value,
    pub at: &'a At,
}

/// What the call would change, for the person who is asked. `None` where the tool cannot tell, or the vendor is not to be
/// had just now; an error where the call could not succeed.
pub(super) async fn told(call: Call<'_>) -> Result<Option<Value>> {
    if !call.entry.spec.dry_run {
        return Ok(None);
    }
    match tokio::time::timeout(PATIENCE, dry_run(call)).await {
        Ok(Ok(plan)) => Ok(Some(plan)),
        Ok(Err(e)) if is_final(&e) => Err(e),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

/// Refuses what would no longer change what the person was told: the invoice was paid meanwhile, the record is another.
pub(super) async fn still_holds(call: Call<'_>, approved: &Approved) -> Result<()> {
    let Some(before) = &approved.plan else { return Ok(()) };
    let now = dry_run(call).await.map_err(|e| {
        let message = format!("whether it is still as it was approved cannot be seen: {}", explain(&e));
        Error::new(e.kind, message)
    })?;
    if essence(before) == essence(&now) {
        return Ok(());
    }
    let would = now["would"].as_str().unwrap_or("something else");
    Err(Error::conflict(format!(
        "what it would change has changed since it was approved; now it would: {would} Ask again"
    )))
}

/// What was said yes to. Notes may name what passes by itself.
fn essence(plan: &Value) -> String {
    canonical_json(&json!([plan["would"], plan["changes"]]))
}

async fn dry_run(call: Call<'_>) -> Result<Value> {
    let Call { app, actor, entry, request, begun, own, at } = call;
    let mut own = own.clone();
    own[DRY_RUN] = Value::Bool(true);
    let begun = Begun { effect: Effect::Read, ..*begun };
    let mut done = run(app, actor, entry, request, &begun, (own, at.clone())).await?;
    Ok(done.data["plan"].take())
}

/// Asked again, it would fail again.
fn is_final(error: &Error) -> bool {
    matches!(error.kind, Kind::InvalidInput | Kind::NotFound | Kind::Conflict | Kind::Forbidden)
}
