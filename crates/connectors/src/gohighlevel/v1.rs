//! The old V1 API (`rest.gohighlevel.com/v1`): keys that still exist can read contacts and
//! pipelines. Its key is a JWT that names the location, so no location is configured.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::http::{Method, Request};
use sdk::{Account, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contacts::{Found, Search};
use super::{GoHighLevel, wire};
use crate::{json, path};

/// The most rows that V1 gives in a page.
pub const LARGEST_PAGE: u32 = 100;

/// Where a page of the contacts list begins.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct At {
    start_after: Value,
    start_after_id: String,
}

/// The location that a V1 key names; `None` for every other token.
pub fn location_of(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    json::text(&serde_json::from_slice(&payload).ok()?, "location_id")
}

/// The answer to everything that only the current API can do.
pub fn not_possible() -> Error {
    Error::forbidden(
        "a GoHighLevel V1 key can only read contacts and pipelines. For everything else make a private integration \
         token under Settings > Private Integrations and set GHL_API_KEY and GHL_LOCATION_ID",
    )
}

pub async fn check(api: &GoHighLevel) -> Result<Account> {
    let search = Search { query: None, sort: "", limit: 1, at: None };
    list(api, &search).await?;
    let id = location_of(&api.token).unwrap_or_default();
    let name = format!("Location {id}");
    Ok(Account::new(id, name))
}

/// One page of contacts. The URL is built here: `nextPageUrl` is plain http and would show the
/// key to the network.
pub async fn list(api: &GoHighLevel, search: &Search<'_>) -> Result<Found> {
    let at: Option<At> = search.at.map(|at| At::deserialize(at).map_err(|_| Found::foreign_cursor())).transpose()?;
    let request = get(api, "/v1/contacts/", &[])?.query(&[
        ("limit", Some(search.limit.min(LARGEST_PAGE).to_string())),
        ("query", search.query.map(str::to_owned)),
        ("startAfter", at.as_ref().map(|at| plain(&at.start_after))),
        ("startAfterId", at.as_ref().map(|at| at.start_after_id.clone())),
    ]);
    let response = request.send().await?;
    let answer: Value = response.json()?;
    let rows = json::list(&answer, "contacts").to_vec();
    let meta = answer.get("meta").unwrap_or(&Value::Null);
    let next = next(meta).filter(|next| !rows.is_empty() && Some(next) != search.at);
    Ok(Found { total: json::count(meta, "total"), rows, next, date: wire::date(&response.headers) })
}

/// A GET of the V1 API; the endpoint begins with `/v1` so that audit rows tell the two apart.
pub fn get(api: &GoHighLevel, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
    let filled = path::fill(endpoint.trim_start_matches("/v1"), ids)?;
    let url = format!("{}{filled}", api.config.v1_base_url);
    Ok(api.http.request(Method::GET, endpoint, url).bearer(&api.token))
}

fn next(meta: &Value) -> Option<Value> {
    let more = meta.get("nextPage").is_some_and(|page| !page.is_null());
    let start_after = meta.get("startAfter").filter(|at| !at.is_null())?.clone();
    let start_after_id = json::text(meta, "startAfterId")?;
    serde_json::to_value(At { start_after, start_after_id }).ok().filter(|_| more)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jwt_with_a_location_is_a_v1_key() {
        let jwt = |payload: &str| format!("eyJhbGciOiJIUzI1NiJ9.{}.signature", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(location_of(&jwt(r#"{"location_id":"LOC","version":1}"#)).as_deref(), Some("LOC"));
        assert_eq!(location_of(&jwt(r#"{"authClass":"Location"}"#)), None);
        assert_eq!(location_of("pit-0b1c2d3e"), None);
        assert_eq!(location_of("a.b.c"), None);
    }
}
