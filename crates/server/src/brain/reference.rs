//! Which contact somebody means: the vendor's id, ours, or a name that only one contact has.

use chrono::{DateTime, Utc};
use sdk::{Error, Result};
use store::Tenant;
use store::contacts::{self as rows, ContactRow, Filter};

use super::contacts::{filter, utc};
use super::grammar;
use super::person::Person;
use crate::unavailable;

/// The ecosystem whose ids are given without its name.
pub const HOME: &str = "gohighlevel";

/// How many candidates an ambiguous name lists.
const CANDIDATES: u64 = 6;

/// The one contact that is meant; an ambiguous name is an error that lists the candidates.
pub async fn resolve(tenant: &Tenant, now: DateTime<Utc>, text: &str) -> Result<ContactRow> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid_input("contact: give an id or a name"));
    }
    if let Some(found) = by_id(tenant, text).await? {
        return Ok(found);
    }
    by_name(tenant, now, text).await
}

async fn by_id(tenant: &Tenant, text: &str) -> Result<Option<ContactRow>> {
    let model = match rows::by_vendor_id(tenant, HOME, text).await.map_err(unavailable)? {
        Some(model) => Some(model),
        None => match text.strip_prefix('#').unwrap_or(text).parse::<i64>() {
            Ok(id) if text.len() < 10 => rows::get(tenant, id).await.map_err(unavailable)?,
            _ => None,
        },
    };
    let Some(model) = model else { return Ok(None) };
    if let Some(at) = model.deleted_at {
        let day = at.format("%Y-%m-%d");
        return Err(Error::not_found(format!("contact: {text} was deleted at the vendor (noticed on {day})")));
    }
    Ok(rows::rows(tenant, &[model.id]).await.map_err(unavailable)?.pop())
}

async fn by_name(tenant: &Tenant, now: DateTime<Utc>, text: &str) -> Result<ContactRow> {
    let question = grammar::parse(text, now, utc());
    let mut wanted = filter(&question);
    if !question.has_words() {
        wanted = Filter { text: Some(text.into()), ..Filter::default() };
    }
    let mut found = rows::find(tenant, &wanted, CANDIDATES, None).await.map_err(unavailable)?.rows;
    let name = question.name.as_deref().or(question.text.as_deref()).unwrap_or(text);
    let exact: Vec<usize> = (0..found.len()).filter(|at| is_called(&found[*at], name, text)).collect();
    match (exact.as_slice(), found.len()) {
        ([only], _) => Ok(found.swap_remove(*only)),
        (_, 0) => Err(Error::not_found(format!("contact: nobody in the brain matches “{text}”"))),
        ([], 1) => Ok(found.swap_remove(0)),
        _ => Err(ambiguous(text, &found)),
    }
}

/// Whether the words are this contact's name, nickname, e-mail or phone, letter by letter.
fn is_called(row: &ContactRow, name: &str, text: &str) -> bool {
    let same = |other: &str| other.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(text);
    let texts = [&row.name, &row.email, &row.phone];
    texts.into_iter().flatten().any(|other| same(other.trim())) || row.nicknames.iter().any(|nickname| same(nickname))
}

fn ambiguous(text: &str, found: &[ContactRow]) -> Error {
    let candidates: Vec<String> = found.iter().take(5).map(describe).collect();
    let more = if found.len() > 5 { "; and more" } else { "" };
    let list = candidates.join("; ");
    Error::conflict(format!("contact: “{text}” may be several contacts: {list}{more}. Give one of the ids"))
}

/// `Dana Fitzgerald, Acme Supply, lead (id abc)`.
fn describe(row: &ContactRow) -> String {
    let person = Person::from(row);
    let known =
        [&row.company, &row.kind].into_iter().flatten().map(String::as_str).filter(|text| *text != person.title());
    let words: Vec<&str> = std::iter::once(person.title()).chain(known).collect();
    format!("{} (id {})", words.join(", "), row.vendor_id)
}
