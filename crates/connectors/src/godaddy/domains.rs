//! Domains: which there are, until when, whose, and which could be had.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Api, GoDaddy, domain_name};
use crate::{cursor, json};

/// Lists the domains registered at GoDaddy with expiry, auto-renewal and name servers. Use it for "which domains do we
/// own?" or "what expires soon?". Answers `domains`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDomains {
    /// Only those that expire before this moment.
    expires_before: Option<DateTime<Utc>>,
    /// Only this state, `ACTIVE`.
    #[schemars(length(min = 1, max = 60))]
    status: Option<String>,
    /// How many, 20 if left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(min = 1, max = 2000))]
    cursor: Option<String>,
}

/// Reads one domain registered at GoDaddy: state, expiry, auto-renewal, transfer lock, privacy, name servers and who hosts
/// its DNS.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetDomain {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
}

/// Tells whether domain names can still be registered, and for how much. Answers `domains` with `available` and price. Only
/// with API key and secret; GoDaddy opens it to large accounts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckAvailability {
    /// `example.com`, …
    #[schemars(length(min = 1, max = 20), inner(length(min = 3, max = 253)))]
    domains: Vec<String>,
}

/// Tells who is registered as owner, administrative, technical and billing contact of a domain at GoDaddy. Only with API
/// key and secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainContacts {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
}

/// Some domains.
#[derive(Serialize, JsonSchema)]
pub struct Domains {
    domains: Vec<Domain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One domain.
#[derive(Serialize, JsonSchema)]
pub struct OneDomain {
    domain: Domain,
    /// Whose servers answer for it: `godaddy`, `cloudflare` or `elsewhere`.
    dns_host: &'static str,
}

/// A registered domain.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Domain {
    pub domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<bool>,
    /// Locked against transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<String>,
    #[serde(skip)]
    #[schemars(skip)]
    pub row: Value,
}

/// Names, and whether they can be had.
#[derive(Serialize, JsonSchema)]
pub struct Offers {
    domains: Vec<Offer>,
}

/// A name, and whether it can be had.
#[derive(Serialize, JsonSchema)]
pub struct Offer {
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<bool>,
    /// Without taxes and fees, in `currency`, for `years`.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    years: Option<u64>,
    /// Why GoDaddy cannot tell, or how sure it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The people of a domain.
#[derive(Serialize, JsonSchema)]
pub struct Contacts {
    domain: String,
    contacts: Vec<Contact>,
}

/// A person of a domain; the same person in several roles stands there once.
#[derive(Serialize, JsonSchema)]
pub struct Contact {
    /// `registrant`, `admin`, `tech`, `billing`.
    roles: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// What a list is to hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<String>,
    pub expires_before: Option<DateTime<Utc>>,
    pub changed_after: Option<DateTime<Utc>>,
}

/// A page of domains.
pub struct Found {
    pub rows: Vec<Domain>,
    pub next: Option<String>,
}

pub async fn list(api: &GoDaddy, args: ListDomains) -> Result<Domains> {
    let from = match cursor::decode_option(args.cursor.as_deref())? {
        Some(cursor) => {
            Some(cursor.as_str().map(str::to_owned).ok_or_else(|| Error::invalid_input("cursor: of another list"))?)
        }
        None => None,
    };
    let status = args.status.map(|status| status.trim().to_uppercase());
    let filter = Filter { status, expires_before: args.expires_before, changed_after: None };
    let page = page(api, &filter, from, args.limit.unwrap_or(20)).await?;
    // v1 cannot be asked for the expiry.
    let soon =
        |domain: &Domain| filter.expires_before.is_none_or(|before| domain.expires.is_some_and(|at| at < before));
    let domains = page.rows.into_iter().filter(soon).collect();
    Ok(Domains { domains, next_cursor: page.next.map(|next| cursor::encode(&json!(next))) })
}

/// One page of domains; `from` is what the page before gave as next.
pub async fn page(api: &GoDaddy, filter: &Filter, from: Option<String>, size: u32) -> Result<Found> {
    let moment = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    if api.api() == Api::V3 {
        let query = [
            ("pageSize", Some(size.to_string())),
            ("pageToken", from),
            ("statuses", filter.status.clone()),
            ("expiresBefore", moment(filter.expires_before)),
            ("updatedAfter", moment(filter.changed_after)),
        ];
        let answer: Value = api.get("/v3/domains/domain-names", &[])?.query(&query).send().await?.json()?;
        let rows: Vec<Domain> = json::list(&answer, "items").iter().filter_map(read).collect();
        let next = if rows.is_empty() { None } else { next_token(&answer) };
        return Ok(Found { rows, next });
    }
    let query = [
        ("limit", Some(size.to_string())),
        ("marker", from),
        ("statuses", filter.status.clone()),
        ("includes", Some("nameServers".into())),
        ("modifiedDate", moment(filter.changed_after)),
    ];
    let answer: Value = api.get("/v1/domains", &[])?.query(&query).send().await?.json()?;
    let all = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let last = all.last().and_then(|row| json::text(row, "domain"));
    let next = last.filter(|_| all.len() >= size as usize);
    Ok(Found { rows: all.iter().filter_map(read).collect(), next })
}

/// The token of the link to the next page; the link itself is not followed, it could lead anywhere.
fn next_token(answer: &Value) -> Option<String> {
    let link = json::list(answer, "links").iter().find(|link| link["rel"] == "next")?;
    let href = link["href"].as_str()?;
    let (_, query) = href.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "pageToken")
        .map(|(_, token)| token.into_owned())
}

/// A domain of either API.
fn read(row: &Value) -> Option<Domain> {
    Some(Domain {
        domain: json::text(row, "domain")?.to_lowercase(),
        status: json::text(row, "status"),
        expires: json::time(row, "expiresAt").or_else(|| json::time(row, "expires")),
        auto_renew: json::flag(row, "autoRenew").or_else(|| json::flag(row, "renewAuto")),
        locked: json::flag(row, "transferLock").or_else(|| json::flag(row, "locked")),
        privacy: json::flag(row, "privacy"),
        name_servers: json::texts(row, "nameServers").into_iter().map(|server| server.to_lowercase()).collect(),
        row: row.clone(),
    })
}

pub async fn get(api: &GoDaddy, args: GetDomain) -> Result<OneDomain> {
    let name = domain_name(&args.domain)?;
    let request = match api.api() {
        Api::V3 => api.get("/v3/domains/domain-names/{domain-name}", &[&name])?,
        Api::V1 => api.get("/v1/domains/{domain}", &[&name])?,
    };
    let answer: Value = request.send().await?.json()?;
    let domain = read(&answer).ok_or_else(|| Error::upstream("GoDaddy answered a domain without a name"))?;
    Ok(OneDomain { dns_host: host(&domain.name_servers), domain })
}

fn host(servers: &[String]) -> &'static str {
    let all = |ending: &str| {
        !servers.is_empty() && servers.iter().all(|server| server.trim_end_matches('.').ends_with(ending))
    };
    match servers {
        _ if all(".domaincontrol.com") => "godaddy",
        _ if all(".ns.cloudflare.com") => "cloudflare",
        _ => "elsewhere",
    }
}

pub async fn availability(api: &GoDaddy, args: CheckAvailability) -> Result<Offers> {
    let names = args.domains.iter().map(|name| domain_name(name)).collect::<Result<Vec<_>>>()?;
    let request = api.request(Method::POST, "/v1/domains/available", &[])?.repeatable();
    let query = [("checkType", Some("FAST".to_owned()))];
    let answer: Value = request.query(&query).json(&names).send().await?.json()?;
    let errors = json::list(&answer, "errors").iter().filter_map(|error| {
        let note = json::first_text(error, &["message", "code"]);
        Some(Offer { note, ..offer(error)? })
    });
    Ok(Offers { domains: json::list(&answer, "domains").iter().filter_map(offer).chain(errors).collect() })
}

fn offer(row: &Value) -> Option<Offer> {
    let sure = json::flag(row, "definitive").unwrap_or(true);
    Some(Offer {
        domain: json::text(row, "domain")?,
        available: json::flag(row, "available"),
        // Millionths of the currency.
        price: json::number(row, "price").map(|price| (price / 10_000.0).round() / 100.0),
        currency: json::text(row, "currency"),
        years: json::count(row, "period"),
        note: (!sure).then(|| "not yet confirmed by the registry".into()),
    })
}

const ROLES: [(&str, &str); 4] = [
    ("registrant", "contactRegistrant"),
    ("admin", "contactAdmin"),
    ("tech", "contactTech"),
    ("billing", "contactBilling"),
];

pub async fn contacts(api: &GoDaddy, args: DomainContacts) -> Result<Contacts> {
    let domain = domain_name(&args.domain)?;
    let answer: Value = api.get("/v1/domains/{domain}", &[&domain])?.send().await?.json()?;
    let mut contacts: Vec<(Value, Contact)> = Vec::new();
    for (role, key) in ROLES {
        let Some(row) = answer.get(key).filter(|row| row.is_object()) else { continue };
        match contacts.iter_mut().find(|(known, _)| known == row) {
            Some((_, contact)) => contact.roles.push(role),
            None => contacts.push((row.clone(), contact(row, role))),
        }
    }
    Ok(Contacts { domain, contacts: contacts.into_iter().map(|(_, contact)| contact).collect() })
}

fn contact(row: &Value, role: &'static str) -> Contact {
    let joined = |value: &Value, keys: &[&str], between: &str| {
        let parts: Vec<String> = keys.iter().filter_map(|key| json::text(value, key)).collect();
        Some(parts.join(between)).filter(|text| !text.is_empty())
    };
    let address = row.get("addressMailing").unwrap_or(&Value::Null);
    Contact {
        roles: vec![role],
        name: joined(row, &["nameFirst", "nameLast"], " "),
        organization: json::text(row, "organization"),
        email: json::text(row, "email"),
        phone: json::text(row, "phone"),
        address: joined(address, &["address1", "address2", "city", "state", "postalCode", "country"], ", "),
    }
}
