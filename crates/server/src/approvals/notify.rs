//! Tells a place of the operator's choice that a call waits for a person: one signed POST an approval, by a run, so that
//! it survives a restart and is tried again.
//!
//! The signature is that of Standard Webhooks (<https://www.standardwebhooks.com>). What was asked for is not in it:
//! the message names the tool and where to look.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use sdk::{Error, Result};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Tenant;
use store::entities::approvals::{ApprovalState, Model};
use uuid::Uuid;

use crate::app::App;
use crate::runs::{Failure, Job, New};

/// The kind of run that tells.
const TELL: &str = "approval_notice";
const PATIENCE: Duration = Duration::from_secs(10);

/// Sees to it that people are told, once, where there is a place for it.
pub(super) async fn about(app: &Arc<App>, tenant: &Tenant, approval: &Model) -> Result<()> {
    if app.config.notifications.url.is_none() {
        return Ok(());
    }
    let run = New::job(TELL, json!({"approval": approval.id})).unique(format!("{TELL}:{}", approval.id));
    app.runs.enqueue(tenant, run).await.map(drop)
}

pub(super) fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(TELL, move |job: Job, input: Input| {
        let app = weak.upgrade();
        async move {
            let app = app.ok_or(Failure::Interrupted)?;
            tell(&app, &job.tenant, input.approval).await
        }
    });
}

#[derive(Deserialize)]
struct Input {
    approval: Uuid,
}

async fn tell(app: &Arc<App>, tenant: &str, id: Uuid) -> Result<Value, Failure> {
    let approval = store::approvals::get(&app.store.tenant(tenant), id).await?;
    let waiting = approval.filter(|row| row.state == ApprovalState::Pending && row.expires_at > app.clock.now());
    let (Some(approval), Some(url)) = (waiting, &app.config.notifications.url) else {
        return Ok(json!({"skipped": "it is decided already"}));
    };
    let body = message(app, &approval).to_string();
    let mut request = app.http.post(url).timeout(PATIENCE).header("content-type", "application/json");
    for (name, value) in signed(app, &approval.id.to_string(), &body) {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await;
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(json!({"status": status.as_u16()})),
        Ok(status) => Err(Error::unavailable(format!("the place for notices answered {status}")).into()),
        Err(e) => Err(Error::unavailable("the place for notices does not answer").with_source(e.without_url()).into()),
    }
}

fn message(app: &App, approval: &Model) -> Value {
    let pending = super::pending(app, approval.id, approval.reason.clone().unwrap_or_default(), approval.expires_at);
    json!({
        "type": "approval.requested",
        "timestamp": app.clock.now(),
        "data": {
            "approval_id": approval.id,
            "tool": approval.tool_name,
            "effect": approval.effect,
            "requested_by": approval.requester["name"],
            "reason": pending.reason,
            "expires_at": pending.expires_at,
            "url": pending.url,
        },
    })
}

/// `webhook-id`, `webhook-timestamp` and, with a secret, `webhook-signature`.
fn signed(app: &App, id: &str, body: &str) -> Vec<(&'static str, String)> {
    let at = app.clock.now().timestamp().to_string();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", at.clone())];
    if let Some(secret) = app.config.secrets.get("NOTIFY_SECRET") {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let signature = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
        headers.push(("webhook-signature", format!("v1,{}", BASE64_STANDARD.encode(signature))));
    }
    headers
}
