//! What an operation would change, as far as the vendor shows it: the present is read with the operation's own GET.

use std::collections::BTreeMap;

use sdk::{Effect, Error, Kind, Plan, Result};
use serde_json::Value;

use super::wanted::{self, Body, Wanted};
use super::{CallOperation, LongTail, complete, sent, trim};

pub async fn plan<C: LongTail>(api: &C, args: CallOperation) -> Result<Plan> {
    let wanted = complete(api, wanted::read::<C>(args)?).await?;
    let operation = wanted.operation;
    let place = place(&wanted);
    let plan = Plan::new(format!("{} ({} {place})", operation.about.trim_end_matches('.'), operation.method_name()));
    if operation.effect == Some(Effect::Read) {
        return Ok(plan.note("it only reads"));
    }
    let before = match present(api, &wanted).await {
        Ok(before) => before,
        // What is not there cannot be changed; what may only be written can.
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::InvalidInput) => {
            return Ok(changes(plan, &wanted, &place, None).note(format!("how it is now cannot be read: {error}")));
        }
        Err(error) => return Err(error),
    };
    Ok(changes(plan, &wanted, &place, before))
}

fn changes(plan: Plan, wanted: &Wanted, place: &str, before: Option<Value>) -> Plan {
    let (operation, body) = (wanted.operation, wanted.body.clone().unwrap_or_default());
    let plan = if removes(wanted) {
        plan.removes(place, before.clone().map_or(Value::Null, |before| trim::fit(before).0))
    } else {
        differences(plan, &body, before.as_ref())
    };
    // An action is a change also where it names nothing that is different.
    let acts = operation.method_name() == "POST" && plan.changes.is_empty();
    let plan = if acts { plan.adds(place, Value::Object(body)) } else { plan };
    let blind = before.is_none() && operation.method_name() != "POST";
    let plan = if blind { plan.note("the vendor has no way to show how it is now") } else { plan };
    if operation.effect == Some(Effect::Destructive) { plan.note("it cannot be undone from here") } else { plan }
}

fn removes(wanted: &Wanted) -> bool {
    let operation = wanted.operation;
    let bare = wanted.body.as_ref().is_none_or(Body::is_empty);
    operation.fixed == "operation=delete" || (operation.method_name() == "DELETE" && bare)
}

/// Each member of the body that is different now.
fn differences(plan: Plan, body: &Body, before: Option<&Value>) -> Plan {
    let before = before.map(|answer| core(answer, body));
    // `sparse` says how QuickBooks is to write, not what.
    body.iter().filter(|(name, _)| *name != "sparse").fold(plan, |plan, (name, after)| {
        let after = trim::fit(after.clone()).0;
        match before.and_then(|before| before.get(name)) {
            Some(before) => plan.sets(name, trim::fit(before.clone()).0, after),
            None => plan.adds(name, after),
        }
    })
}

/// How that which would change is now; `None` where no operation shows it.
async fn present<C: LongTail>(api: &C, wanted: &Wanted) -> Result<Option<Value>> {
    let operation = wanted.operation;
    let id = wanted.body.as_ref().and_then(|body| body.get("Id").or(body.get("id"))).and_then(Value::as_str);
    let shows = match (operation.method_name(), id) {
        ("POST", Some(_)) => operation.shown_by_id(C::OPERATIONS),
        ("POST", None) => None,
        _ => operation.shown_by(C::OPERATIONS),
    };
    let Some(shows) = shows else { return Ok(None) };
    let value = |name: &str| wanted.ids.get(name).cloned().or_else(|| id.map(str::to_owned));
    let ids: BTreeMap<String, String> = shows.ids().filter_map(|name| Some((name.to_owned(), value(name)?))).collect();
    if ids.len() < shows.ids().count() {
        return Err(Error::internal(format!("{} does not fit {}", shows.name, operation.name)));
    }
    // Google shows little unless it is asked for all.
    let all = shows.query().any(|(name, _)| name == "fields");
    let query = if all { vec![("fields".to_owned(), "*".to_owned())] } else { Vec::new() };
    let read = Wanted { operation: shows, ids, query, body: None };
    Ok(Some(sent(api, &complete(api, read).await?).await?.1))
}

/// What an answer is about, out of the envelope around it.
fn core<'a>(answer: &'a Value, body: &Body) -> &'a Value {
    let about = |value: &Value| body.keys().any(|name| value.get(name).is_some());
    if about(answer) {
        return answer;
    }
    let inner = answer.as_object().into_iter().flat_map(|members| members.values());
    inner.into_iter().find(|member| member.is_object() && about(member)).unwrap_or(answer)
}

/// The path with its ids.
fn place(wanted: &Wanted) -> String {
    let named = |path: String, name: &str| match wanted.ids.get(name) {
        Some(id) => path.replace(&format!("{{{name}}}"), id),
        None => path,
    };
    wanted.operation.ids().fold(wanted.operation.path.to_owned(), named)
}
