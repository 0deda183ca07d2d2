//! One customer across systems: which records of other systems are the same person or company, how sure that is, and
//! why. What a person says of a link counts more than what is computed.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use store::Tenant;
use store::contacts::ContactRow;
use store::customers::{self, Customer, Likeness, Verdict};

use super::reference::resolve;
use crate::unavailable;

/// A link below this is shown as a question and carries nothing with it.
const SURE: f64 = 0.7;

/// Confirms or undoes that a customer of another system is this contact; view_360 shows the links with their reasons.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The contact's id, or a name that only one contact has.
    #[schemars(length(min = 1, max = 200))]
    pub contact: String,
    /// The system that the customer is in, such as `quickbooks`.
    #[schemars(length(min = 1, max = 50))]
    pub ecosystem: String,
    /// The customer's id there.
    #[schemars(length(min = 1, max = 100))]
    pub customer_id: String,
    /// True: they are the same. False: they are not. Left out: what was said before is taken back.
    pub same: Option<bool>,
}

/// What is linked now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Links {
    pub customers: Vec<LinkedCustomer>,
}

/// A customer of another system that is this contact, or may be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkedCustomer {
    /// The system.
    pub source: String,
    /// The customer's id there.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 0–1.
    pub score: f64,
    /// Why they are taken for the same.
    pub reason: String,
    /// Only perhaps the same: contacts_link confirms it or says no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    pub as_of: DateTime<Utc>,
}

/// Keeps what a person said.
pub async fn link(tenant: &Tenant, now: DateTime<Utc>, by: &str, args: Link) -> Result<Links> {
    let row = resolve(tenant, now, &args.contact).await?;
    let target = (args.ecosystem.as_str(), args.customer_id.as_str());
    if customers::get(tenant, target.0, target.1).await.map_err(unavailable)?.is_none() {
        return Err(Error::not_found(format!("customer_id: {} has no customer {}", target.0, target.1)));
    }
    customers::say(tenant, row.id, target, args.same, by, now).await.map_err(unavailable)?;
    Ok(Links { customers: links(tenant, &row).await? })
}

/// The customers of other systems that are this contact, the surest first.
pub async fn links(tenant: &Tenant, row: &ContactRow) -> Result<Vec<LinkedCustomer>> {
    let wanted = Likeness {
        email: lower(row.email.as_deref()),
        phone_digits: row.phone.as_deref().and_then(digits),
        name: lower(row.name.as_deref()),
        company: lower(row.company.as_deref()),
    };
    let verdicts = customers::verdicts(tenant, row.id).await.map_err(unavailable)?;
    let mut found = customers::like(tenant, &wanted).await.map_err(unavailable)?;
    for verdict in verdicts.iter().filter(|verdict| verdict.same) {
        let known = |one: &Customer| one.ecosystem == verdict.ecosystem && one.vendor_id == verdict.vendor_id;
        if !found.iter().any(known) {
            found.extend(customers::get(tenant, &verdict.ecosystem, &verdict.vendor_id).await.map_err(unavailable)?);
        }
    }
    let mut links: Vec<LinkedCustomer> =
        found.into_iter().filter_map(|customer| linked(customer, &wanted, &verdicts)).collect();
    links.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    links.truncate(10);
    Ok(links)
}

fn linked(customer: Customer, wanted: &Likeness, verdicts: &[Verdict]) -> Option<LinkedCustomer> {
    let said =
        verdicts.iter().find(|said| said.ecosystem == customer.ecosystem && said.vendor_id == customer.vendor_id);
    let (score, reason) = match said {
        Some(said) if !said.same => return None,
        Some(said) => (1.0, format!("confirmed by {}", said.said_by)),
        None => likeness(&customer, wanted)?,
    };
    Some(LinkedCustomer {
        source: customer.ecosystem,
        id: customer.vendor_id,
        name: customer.name.or(customer.company),
        score,
        reason,
        unsure: score < SURE,
        as_of: customer.last_synced,
    })
}

/// How sure it is that they are the same, and why.
fn likeness(customer: &Customer, wanted: &Likeness) -> Option<(f64, String)> {
    let same = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if !a.is_empty() && a == b);
    let (name, company) = (lower(customer.name.as_deref()), lower(customer.company.as_deref()));
    let email = same(&customer.email, &wanted.email);
    let phone = same(&customer.phone_digits, &wanted.phone_digits);
    let named = same(&name, &wanted.name);
    let at_company = same(&company, &wanted.company) || same(&name, &wanted.company);
    let score = match (email, phone, named, at_company) {
        (true, true, ..) | (true, _, true, _) => 1.0,
        (true, ..) => 0.95,
        (_, true, true, _) | (_, true, _, true) => 0.95,
        (_, true, ..) => 0.85,
        (_, _, true, true) => 0.85,
        (_, _, true, _) => 0.6,
        // Colleagues share a company.
        (.., true) => 0.5,
        _ => return None,
    };
    let facts = [(email, "e-mail address"), (phone, "phone number"), (named, "name"), (at_company, "company")];
    let shared: Vec<&str> = facts.into_iter().filter(|(fact, _)| *fact).map(|(_, word)| word).collect();
    Some((score, format!("same {}", shared.join(", "))))
}

/// Without the case and the spaces around it; None where nothing is left.
pub(super) fn lower(text: Option<&str>) -> Option<String> {
    text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())
}

/// The last ten digits of a phone number, which are the same however it is written; None where there are fewer than
/// seven.
pub fn digits(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= 7).then(|| digits[digits.len().saturating_sub(10)..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(name: &str, company: &str, email: &str, phone: &str) -> Customer {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Customer {
            ecosystem: "books".into(),
            vendor_id: "1".into(),
            name: text(name),
            company: text(company),
            email: text(email),
            phone_digits: text(phone),
            last_synced: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_score_says_how_sure_and_the_reason_why() {
        let wanted = Likeness {
            email: Some("dana@acme.com".into()),
            phone_digits: digits("+1 (555) 010-0199"),
            name: Some("dana fitzgerald".into()),
            company: Some("acme supply".into()),
        };
        let cases = [
            (customer("Dana Fitzgerald", "", "dana@acme.com", ""), Some((1.0, "same e-mail address, name"))),
            (customer("Somebody", "", "dana@acme.com", ""), Some((0.95, "same e-mail address"))),
            (customer("D. Fitz", "", "", "5550100199"), Some((0.85, "same phone number"))),
            (customer("Dana Fitzgerald", "Acme Supply", "", ""), Some((0.85, "same name, company"))),
            (customer("Dana Fitzgerald", "", "other@example.com", ""), Some((0.6, "same name"))),
            (customer("Acme Supply", "", "", ""), Some((0.5, "same company"))),
            (customer("Nobody", "Elsewhere", "x@example.com", ""), None),
        ];
        for (customer, expected) in cases {
            let found = likeness(&customer, &wanted);
            assert_eq!(found, expected.map(|(score, reason)| (score, reason.to_owned())), "{customer:?}");
        }
    }

    #[test]
    fn a_phone_number_is_the_same_however_it_is_written() {
        assert_eq!(digits("+1 (555) 010-0199"), digits("555.010.0199"));
        assert_eq!(digits("12345"), None);
    }
}
