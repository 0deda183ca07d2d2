//! How the business stands, in a few requests.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::select::Select;
use super::wire::{self, cents};
use super::{QuickBooks, invoices};

/// How the business stands in QuickBooks: what is owed and overdue, what was billed and received lately, who owes
/// most. Use it first for questions about money; the lists and reports have the details.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerSummary {
    /// Billed and received within so many days up to today.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 366))]
    days: u32,
}

fn thirty() -> u32 {
    30
}

/// How the business stands.
#[derive(Serialize, JsonSchema)]
pub struct Ledger {
    as_of: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Invoices that are not fully paid.
    open: Amount,
    /// Of these, what is past its due date.
    overdue: Amount,
    /// Of these, what was never e-mailed.
    not_sent: Amount,
    billed: Amount,
    received: Amount,
    days: u32,
    /// Who owes most.
    top_debtors: Vec<Debtor>,
    /// What the sums leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// How many, and how much.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub struct Amount {
    count: u32,
    total: f64,
}

/// A customer who owes something.
#[derive(Clone, Default, Serialize, JsonSchema)]
pub struct Debtor {
    customer_id: String,
    customer: String,
    balance: f64,
    overdue: f64,
}

impl Amount {
    fn add(&mut self, amount: f64) {
        self.count += 1;
        self.total = cents(self.total + amount);
    }
}

const TOP: usize = 5;
const LARGEST_PAGE: u32 = 1000;
/// Reads are metered, so that a summary ends somewhere.
const MOST_PAGES: u64 = 5;

pub async fn summary(api: &QuickBooks, args: LedgerSummary) -> Result<Ledger> {
    let open = all(api, "Invoice", Select::from("Invoice", "Id").and("Balance", ">", Some("0"))).await?;
    let today = open.today.ok_or_else(|| Error::upstream("QuickBooks answered without its date"))?;
    let first = today.checked_sub_days(Days::new(u64::from(args.days) - 1)).unwrap_or(today);
    let lately =
        |entity| Select::from(entity, "Id").and("TxnDate", ">=", Some(first)).and("TxnDate", "<=", Some(today));
    let billed = all(api, "Invoice", lately("Invoice")).await?;
    let received = all(api, "Payment", lately("Payment")).await?;
    let currency = usual([&open, &billed, &received]);
    let mut notes = Vec::new();
    for (found, what) in [(&open, "open invoices"), (&billed, "invoices billed"), (&received, "payments received")] {
        notes.extend(found.note(what, currency.as_deref()));
    }
    let mine = |row: &&Value| wire::reference(row, "CurrencyRef") == currency;
    let sum = |found: &Found, key: &str| {
        let mut amount = Amount::default();
        found
            .rows
            .iter()
            .filter(mine)
            .filter(|row| !invoices::is_voided(row))
            .for_each(|row| amount.add(wire::money(row, key)));
        amount
    };
    let owed = Owed::of(open.rows.iter().filter(mine), today);
    Ok(Ledger {
        as_of: today,
        open: sum(&open, "Balance"),
        overdue: owed.overdue,
        not_sent: owed.not_sent,
        billed: sum(&billed, "TotalAmt"),
        received: sum(&received, "TotalAmt"),
        days: args.days,
        top_debtors: owed.debtors,
        currency,
        notes,
    })
}

/// Rows of a query, to its end or to the cap.
struct Found {
    rows: Vec<Value>,
    today: Option<NaiveDate>,
    cut: bool,
}

async fn all(api: &QuickBooks, entity: &str, query: Select) -> Result<Found> {
    let mut found = Found { rows: Vec::new(), today: None, cut: true };
    for page in 0..MOST_PAGES {
        let answer = query.page(api, page * u64::from(LARGEST_PAGE) + 1, LARGEST_PAGE).await?;
        let rows = answer.rows(entity);
        found.rows.extend_from_slice(rows);
        found.today = answer.today;
        if rows.len() < LARGEST_PAGE as usize {
            found.cut = false;
            break;
        }
    }
    Ok(found)
}

impl Found {
    /// What a reader must know of rows that the sums leave out.
    fn note(&self, what: &str, currency: Option<&str>) -> Option<String> {
        let other = self.rows.iter().filter(|row| wire::reference(row, "CurrencyRef").as_deref() != currency).count();
        match (self.cut, other) {
            (false, 0) => None,
            (true, _) => Some(format!("only {} {what} were read; there are more", self.rows.len())),
            (false, other) => Some(format!("{other} {what} in other currencies are left out")),
        }
    }
}

/// The currency of most rows.
fn usual(found: [&Found; 3]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in found.into_iter().flat_map(|found| &found.rows) {
        *counts.entry(wire::reference(row, "CurrencyRef")?).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(currency, _)| currency)
}

struct Owed {
    overdue: Amount,
    not_sent: Amount,
    debtors: Vec<Debtor>,
}

impl Owed {
    fn of<'a>(rows: impl Iterator<Item = &'a Value>, today: NaiveDate) -> Owed {
        let mut owed = Owed { overdue: Amount::default(), not_sent: Amount::default(), debtors: Vec::new() };
        let mut debtors: BTreeMap<String, Debtor> = BTreeMap::new();
        for row in rows {
            let balance = wire::money(row, "Balance");
            let late = invoices::status(row, Some(today)) == "overdue";
            if late {
                owed.overdue.add(balance);
            }
            if !invoices::was_sent(row) {
                owed.not_sent.add(balance);
            }
            let id = wire::reference(row, "CustomerRef").unwrap_or_default();
            let debtor = debtors.entry(id.clone()).or_default();
            debtor.customer_id = id;
            debtor.customer = wire::reference_name(row, "CustomerRef").unwrap_or_default();
            debtor.balance = cents(debtor.balance + balance);
            debtor.overdue = cents(debtor.overdue + if late { balance } else { 0.0 });
        }
        owed.debtors = debtors.into_values().collect();
        owed.debtors.sort_by(|a, b| b.balance.total_cmp(&a.balance));
        owed.debtors.truncate(TOP);
        owed
    }
}
