//! Who owes what for how long.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::QuickBooks;
use super::reports::{amount, columns, fetch, header, is_empty, rows};
use crate::json;

/// Aged receivables from QuickBooks: what customers owe by how many days it is overdue, largest debts first. Use it to
/// decide whom to remind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgedReceivables {
    /// As of this day; today if left out.
    date: Option<NaiveDate>,
    /// Customers shown, at most 50.
    #[serde(default = "fifteen")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn fifteen() -> usize {
    15
}

/// Aged receivables.
#[derive(Serialize, JsonSchema)]
pub struct Aging {
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Of all customers.
    total: f64,
    /// The total by days overdue.
    ages: BTreeMap<String, f64>,
    customers: Vec<Debt>,
    /// How many customers are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    customers_left_out: Option<usize>,
}

/// What a customer owes.
#[derive(Serialize, JsonSchema)]
pub struct Debt {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    customer: String,
    total: f64,
    /// By days overdue.
    ages: BTreeMap<String, f64>,
}

pub async fn aged_receivables(api: &QuickBooks, args: AgedReceivables) -> Result<Aging> {
    let parameters = [("report_date", args.date.map(|day| day.to_string()))];
    let body = fetch(api, "/v3/company/{realmId}/reports/AgedReceivables", &parameters).await?;
    let titles: Vec<String> =
        columns(&body).iter().map(|column| json::text(column, "ColTitle").unwrap_or_default()).collect();
    let mut found = Found::default();
    if !is_empty(&body) {
        found.descend(rows(&body), &titles, 0);
    }
    let Found { mut debts, grand } = found;
    debts.sort_by(|a, b| b.total.total_cmp(&a.total));
    let left_out = debts.len().saturating_sub(args.limit);
    debts.truncate(args.limit);
    let (total, ages) = grand.unwrap_or_default();
    Ok(Aging {
        as_of: header(&body, "EndPeriod").or_else(|| args.date.map(|day| day.to_string())),
        currency: header(&body, "Currency"),
        total,
        ages,
        customers: debts,
        customers_left_out: Some(left_out).filter(|count| *count > 0),
    })
}

#[derive(Default)]
struct Found {
    debts: Vec<Debt>,
    grand: Option<(f64, BTreeMap<String, f64>)>,
}

impl Found {
    /// A customer with sub-customers is a section; their rows stand within it.
    fn descend(&mut self, rows: &[Value], titles: &[String], depth: usize) {
        for row in rows {
            let cells = json::list(row, "ColData");
            if let Some(customer) = cells.first().and_then(|cell| json::text(cell, "value")) {
                let (total, ages) = sums(cells, titles);
                let customer_id = json::text(&cells[0], "id");
                self.debts.push(Debt { customer_id, customer: sdk::text::cut(&customer, 80), total, ages });
            }
            if json::text(row, "group").is_some_and(|group| group == "GrandTotal") {
                let cells = row.get("Summary").map(|summary| json::list(summary, "ColData")).unwrap_or_default();
                self.grand = Some(sums(cells, titles));
            }
            if depth < 20 {
                self.descend(self::rows(row), titles, depth + 1);
            }
        }
    }
}

/// The total of a row, and what it is made of by the columns' titles.
fn sums(cells: &[Value], titles: &[String]) -> (f64, BTreeMap<String, f64>) {
    let named = titles.iter().zip(cells).skip(1).filter_map(|(title, cell)| Some((title.clone(), amount(cell)?)));
    let mut ages: BTreeMap<String, f64> = named.filter(|(_, sum)| *sum != 0.0).collect();
    let total = ages.remove("Total").unwrap_or_else(|| super::wire::cents(ages.values().sum()));
    (total, ages)
}
