//! Where an answer comes from, and what stands in when the vendor fails.

use std::sync::Arc;
use std::time::Duration;

use sdk::connector::ErasedTool;
use sdk::{Effect, Error, Kind, Result, http};
use serde::Serialize;
use serde_json::Value;

use super::{Begun, Done, Request, Scope, answer};
use crate::actor::Actor;
use crate::app::App;
use crate::brain;
use crate::connections::{Connected, Connections};
use crate::tools::Entry;

/// What the brain gets of a call's time when the vendor has used up the rest.
const STAND_IN: Duration = Duration::from_secs(5);

/// How true an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The vendor's answer of this moment, or our own state.
    Live,
    /// The built-in sample business: the ecosystem is not connected.
    Sample,
    /// The brain's copy; its age is told beside it.
    Cached,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Live => "live",
            Source::Sample => "sample",
            Source::Cached => "cached",
        }
    }
}

/// A call that asks a vendor.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub app: &'a Arc<App>,
    pub actor: &'a Actor,
    pub entry: &'a Entry,
    pub tool: &'a ErasedTool,
    /// The arguments that the tool itself knows.
    pub own: &'a Value,
    pub request: &'a Request,
    pub begun: &'a Begun,
    pub connections: &'a Connections,
    pub at: &'a Connected,
}

/// Asks the vendor; a read that the vendor fails is answered by the brain with its age, or not at
/// all. A live account never gets sample data.
pub(super) async fn at_vendor(asked: Asked<'_>) -> Result<Done> {
    let Asked { entry, request, begun, at, .. } = asked;
    let call = http::Call {
        execution: Some(begun.id),
        key: request.approval().unwrap_or(begun.id).to_string(),
        // Time is left for the brain to stand in.
        deadline: begun.started + entry.spec.deadline.saturating_sub(STAND_IN),
    };
    match ask(asked, call).await {
        Ok(data) => Ok(answer::kept(data, at.source, None)),
        // The brain knows nothing of an account that it does not copy.
        Err(e) if entry.spec.effect == Effect::Read && is_outage(&e) && asked.connections.is_copied(at) => {
            instead(asked, e).await
        }
        Err(e) => Err(e),
    }
}

/// Asks with a fresh token. One that the vendor no longer takes is replaced once: what was refused was not carried out.
async fn ask(asked: Asked<'_>, call: http::Call) -> Result<Value> {
    let Asked { tool, own, at, .. } = asked;
    let opening = at.open(call.clone()).await?;
    let credentials = opening.credentials.clone();
    match tool.run(opening, own.clone()).await {
        Err(e) if e.kind == Kind::Unauthenticated && at.forget_token(&credentials).await => {
            tool.run(at.open(call).await?, own.clone()).await
        }
        outcome => outcome,
    }
}

/// The answer of a tool that read the brain.
pub(super) async fn of_brain(scope: &Scope, entry: &Entry, data: serde_json::Value) -> Result<Done> {
    if entry.ecosystem == "system" {
        return Ok(answer::kept(data, Source::Live, None));
    }
    let sample = scope.connections.is_sample();
    let (source, as_of) = match entry.spec.effect {
        Effect::Read => (Source::Cached, brain::freshness(&scope.tenant, entry.spec.copies).await?),
        _ => (Source::Live, None),
    };
    Ok(answer::kept(data, if sample { Source::Sample } else { source }, as_of))
}

fn is_outage(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable | Kind::RateLimited | Kind::Upstream | Kind::Unauthenticated)
}

async fn instead(asked: Asked<'_>, failure: Error) -> Result<Done> {
    let Asked { app, actor, entry, own, begun, at, .. } = asked;
    let tenant = app.store.tenant(&actor.tenant);
    let Some((data, as_of)) = brain::stand_in(&tenant, &entry.id, own, begun.at).await? else {
        return Err(failure);
    };
    let source = if at.source == Source::Sample { Source::Sample } else { Source::Cached };
    let mut done = answer::kept(data, source, as_of);
    done.notes.push(format!("{} could not be asked ({failure}); this is the copy of the last sync.", entry.ecosystem));
    Ok(done)
}
