//! The company's books: rows as QuickBooks shows them, by entity.

use std::collections::{BTreeMap, HashMap};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{dates, fault::Fault};
use crate::clock::Millis;

/// An entity of the accounting API.
#[derive(Debug)]
pub(super) struct Entity {
    pub name: &'static str,
    /// Transactions can be deleted; names can only be made inactive.
    pub transaction: bool,
    /// The properties that a query may name beside `Id` and `MetaData`; empty is any.
    pub filters: &'static [&'static str],
}

const fn transaction(name: &'static str, filters: &'static [&'static str]) -> Entity {
    Entity { name, transaction: true, filters }
}

const fn named(name: &'static str, filters: &'static [&'static str]) -> Entity {
    Entity { name, transaction: false, filters }
}

pub(super) const ENTITIES: &[Entity] = &[
    named("Account", &[]),
    transaction("Bill", &[]),
    named("Class", &[]),
    named("CompanyInfo", &[]),
    transaction("CreditMemo", &[]),
    named(
        "Customer",
        &[
            "DisplayName",
            "GivenName",
            "FamilyName",
            "MiddleName",
            "CompanyName",
            "FullyQualifiedName",
            "PrintOnCheckName",
            "PrimaryEmailAddr",
            "PrimaryPhone",
            "Active",
            "Balance",
            "BalanceWithJobs",
            "Taxable",
        ],
    ),
    named("Department", &[]),
    named("Employee", &[]),
    transaction("Estimate", &[]),
    transaction("Invoice", &["DocNumber", "TxnDate", "DueDate", "CustomerRef", "Balance", "TotalAmt", "HomeBalance"]),
    named("Item", &["Name", "Type", "Sku", "Description", "Active", "FullyQualifiedName", "UnitPrice"]),
    transaction("Payment", &["TxnDate", "CustomerRef", "TotalAmt", "PaymentRefNum"]),
    named("PaymentMethod", &[]),
    transaction("Purchase", &[]),
    transaction("SalesReceipt", &[]),
    named("Term", &[]),
    named("Vendor", &[]),
];

/// The entity of this name, in any case, as clients of others send it.
pub(super) fn entity(name: &str) -> Option<&'static Entity> {
    ENTITIES.iter().find(|entity| entity.name.eq_ignore_ascii_case(name))
}

type Table = BTreeMap<u64, Value>;

#[derive(Default)]
pub(super) struct Books {
    tables: BTreeMap<&'static str, Table>,
    last_id: HashMap<&'static str, u64>,
    pub last_number: u64,
    /// What was deleted: entity, id, when.
    pub gone: Vec<(&'static str, u64, Millis)>,
    /// The first answer to each `requestid`; it is given again, and nothing is written a second time.
    pub answered: HashMap<String, (StatusCode, Value)>,
}

impl Books {
    pub(super) fn rows(&self, entity: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.tables.get(entity).into_iter().flat_map(Table::values)
    }

    pub(super) fn get(&self, entity: &Entity, id: &str) -> Option<&Value> {
        self.tables.get(entity.name)?.get(&id.parse().ok()?)
    }

    /// The row of this id, or the vendor's fault.
    pub(super) fn find(&self, entity: &Entity, id: &str) -> Result<&Value, Fault> {
        self.get(entity, id).ok_or_else(|| Fault::not_found(&format!("{} {id}", entity.name)))
    }

    /// Adds a row and gives it what every row has.
    pub(super) fn insert(&mut self, entity: &'static Entity, mut row: Value, at: Millis) -> Value {
        // Transactions of all kinds are numbered together, names each for themselves.
        let sequence = if entity.transaction { "transactions" } else { entity.name };
        let last = self.last_id.entry(sequence).or_default();
        *last += 1;
        let id = *last;
        let stamp = dates::stamp(at);
        row["Id"] = json!(id.to_string());
        row["SyncToken"] = json!("0");
        row["MetaData"] = json!({"CreateTime": stamp, "LastUpdatedTime": stamp});
        row["domain"] = json!("QBO");
        row["sparse"] = json!(false);
        self.tables.entry(entity.name).or_default().insert(id, row.clone());
        row
    }

    /// Replaces a row and stamps it as changed.
    pub(super) fn change(&mut self, entity: &'static Entity, mut row: Value, at: Millis) -> Value {
        let token: u64 = row["SyncToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or_default();
        row["SyncToken"] = json!((token + 1).to_string());
        row["MetaData"]["LastUpdatedTime"] = json!(dates::stamp(at));
        row["sparse"] = json!(false);
        self.put(entity, row.clone());
        row
    }

    /// Replaces a row without stamping it, as for sums that QuickBooks keeps by itself.
    pub(super) fn put(&mut self, entity: &'static Entity, row: Value) {
        if let Some(id) = row["Id"].as_str().and_then(|id| id.parse().ok()) {
            self.tables.entry(entity.name).or_default().insert(id, row);
        }
    }

    pub(super) fn remove(&mut self, entity: &'static Entity, id: &str, at: Millis) {
        let Ok(id) = id.parse() else { return };
        if self.tables.get_mut(entity.name).is_some_and(|table| table.remove(&id).is_some()) {
            self.gone.push((entity.name, id, at));
        }
    }

    /// The id of a customer's reference, who must exist and be active.
    pub(super) fn customer(&self, body: &Value) -> Result<&Value, Fault> {
        let Some(id) = body["CustomerRef"]["value"].as_str() else { return Err(Fault::missing("CustomerRef")) };
        let found = entity("Customer").and_then(|entity| self.get(entity, id));
        let customer = found.ok_or_else(|| Fault::bad_reference("CustomerRef", id))?;
        if customer["Active"] == false { Err(Fault::not_found("CustomerRef")) } else { Ok(customer) }
    }

    /// Adds to what a customer owes.
    pub(super) fn owe(&mut self, customer: &str, amount: f64) {
        let Some(entity) = entity("Customer") else { return };
        let Some(mut row) = self.get(entity, customer).cloned() else { return };
        let balance = cents(row["Balance"].as_f64().unwrap_or_default() + amount);
        row["Balance"] = json!(balance);
        row["BalanceWithJobs"] = json!(balance);
        self.put(entity, row);
    }
}

/// Rounded to whole cents.
pub(super) fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}
