//! Customers: found by name, e-mail or debt.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::QuickBooks;
use super::select::{self, Select};
use super::wire;
use crate::json;

/// Lists QuickBooks customers with what they owe, by name. Use it to find a customer's id, e-mail or open balance;
/// `search` is part of the name or a whole e-mail address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListCustomers {
    /// Part of the display name, or a whole e-mail address.
    #[schemars(length(max = 100))]
    search: Option<String>,
    /// True: only customers who owe something.
    #[serde(default)]
    owing: bool,
    /// True: also customers who were made inactive.
    #[serde(default)]
    inactive: bool,
    /// Rows, at most 50.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 200))]
    cursor: Option<String>,
}

pub fn twenty() -> u32 {
    20
}

/// A page of customers.
#[derive(Serialize, JsonSchema)]
pub struct Customers {
    customers: Vec<Customer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A customer.
#[derive(Serialize, JsonSchema)]
pub struct Customer {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What is still to be paid.
    pub balance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Left out when true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

impl Customer {
    pub fn of(row: &Value) -> Customer {
        let name = name(row);
        let person = [json::text(row, "GivenName"), json::text(row, "FamilyName")].into_iter().flatten();
        let person = person.collect::<Vec<_>>().join(" ");
        Customer {
            id: json::text(row, "Id").unwrap_or_default(),
            company: json::text(row, "CompanyName").filter(|company| *company != name),
            contact: Some(person).filter(|person| !person.is_empty() && *person != name),
            email: email(row),
            phone: phone(row),
            balance: wire::money(row, "Balance"),
            currency: wire::reference(row, "CurrencyRef"),
            active: json::flag(row, "Active").filter(|active| !active),
            name,
        }
    }
}

/// The name under which a customer is kept.
pub fn name(row: &Value) -> String {
    json::first_text(row, &["DisplayName", "FullyQualifiedName", "CompanyName"]).unwrap_or_default()
}

pub fn email(row: &Value) -> Option<String> {
    json::text(row.get("PrimaryEmailAddr")?, "Address")
}

pub fn phone(row: &Value) -> Option<String> {
    ["PrimaryPhone", "Mobile", "AlternatePhone"].iter().find_map(|key| json::text(row.get(*key)?, "FreeFormNumber"))
}

pub async fn list(api: &QuickBooks, args: ListCustomers) -> Result<Customers> {
    let start = select::start(args.cursor.as_deref())?;
    let mut query = Select::from("Customer", "DisplayName");
    if let Some(search) = args.search.as_deref().map(str::trim).filter(|search| !search.is_empty()) {
        query = matching(query, search);
    }
    if args.owing {
        query = query.and("Balance", ">", Some("0"));
    }
    if args.inactive {
        query = query.and_inactive();
    }
    let answer = query.page(api, start, args.limit + 1).await?;
    let (rows, next_cursor) = select::cut(answer.rows("Customer"), start, args.limit);
    Ok(Customers { customers: rows.iter().map(Customer::of).collect(), next_cursor })
}

fn matching(query: Select, search: &str) -> Select {
    if search.contains('@') && !search.contains(' ') {
        query.and("PrimaryEmailAddr", "=", Some(search))
    } else {
        query.and_contains("DisplayName", search)
    }
}

/// How many customers a name may stand for.
const MOST_NAMESAKES: u32 = 20;

/// The ids of the customers that a text means: an id, an e-mail address or part of a name.
pub async fn meant(api: &QuickBooks, text: &str) -> Result<Vec<String>> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid_input("customer: give an id, an e-mail address or part of the name"));
    }
    if text.bytes().all(|letter| letter.is_ascii_digit()) {
        return Ok(vec![text.to_owned()]);
    }
    let query = matching(Select::from("Customer", "DisplayName"), text).and_inactive();
    let answer = query.page(api, 1, MOST_NAMESAKES + 1).await?;
    let rows = answer.rows("Customer");
    if rows.is_empty() {
        let message = format!("customer: QuickBooks has none like \"{}\"", sdk::text::cut(text, 60));
        return Err(Error::not_found(message));
    }
    if rows.len() > MOST_NAMESAKES as usize {
        let message = "customer: more than 20 customers are named like this; give more of the name, or an id";
        return Err(Error::invalid_input(message));
    }
    Ok(rows.iter().filter_map(|row| json::text(row, "Id")).collect())
}

/// One customer.
pub async fn read(api: &QuickBooks, id: &str) -> Result<Value> {
    let answer = api.get("/v3/company/{realmId}/customer/{customerId}", &[id])?.read().await?;
    Ok(answer.body.get("Customer").cloned().unwrap_or_default())
}
