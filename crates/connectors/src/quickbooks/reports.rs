//! Profit and loss, and the balance sheet.
//!
//! A report is a tree of rows whose values are texts. It is read by the groups and the kinds of columns, never by
//! position, because Intuit adds rows and columns.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::QuickBooks;
use super::wire::cents;
use crate::json;

/// Profit and loss of a period from QuickBooks: income, costs, expenses and profit, with the accounts. Up to six
/// months at once work best.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfitAndLoss {
    /// A named period; `from` and `to` go before it.
    #[serde(default)]
    period: Period,
    /// First day.
    from: Option<NaiveDate>,
    /// Last day.
    to: Option<NaiveDate>,
    /// Cash or accrual; the company's own if left out.
    method: Option<Method>,
}

/// Balance sheet of a day from QuickBooks: assets, liabilities and equity, with the accounts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalanceSheet {
    /// The day; today if left out.
    date: Option<NaiveDate>,
    /// Cash or accrual; the company's own if left out.
    method: Option<Method>,
}

/// A period that QuickBooks has a name for.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Period {
    ThisMonth,
    LastMonth,
    ThisQuarter,
    LastQuarter,
    #[default]
    ThisYear,
    LastYear,
}

/// How income is counted.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Method {
    Cash,
    Accrual,
}

/// Profit and loss.
#[derive(Serialize, JsonSchema)]
pub struct Profit {
    #[serde(flatten)]
    about: About,
    #[serde(skip_serializing_if = "Option::is_none")]
    income: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_of_goods_sold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gross_profit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expenses: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    net_operating_income: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_income: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_expenses: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    net_income: Option<f64>,
    accounts: Vec<Line>,
}

/// A balance sheet.
#[derive(Serialize, JsonSchema)]
pub struct Balance {
    #[serde(flatten)]
    about: About,
    #[serde(skip_serializing_if = "Option::is_none")]
    assets: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    liabilities: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equity: Option<f64>,
    accounts: Vec<Line>,
}

/// What a report is about.
#[derive(Serialize, JsonSchema)]
pub struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// `Cash` or `Accrual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// True when QuickBooks has nothing for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_data: bool,
    /// How many accounts are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts_left_out: Option<usize>,
}

/// An account in a report.
#[derive(Serialize, JsonSchema)]
pub struct Line {
    section: String,
    account: String,
    amount: f64,
}

pub async fn profit_and_loss(api: &QuickBooks, args: ProfitAndLoss) -> Result<Profit> {
    if args.from.zip(args.to).is_some_and(|(from, to)| to < from) {
        return Err(Error::invalid_input("to: the last day is before the first"));
    }
    let own = args.from.is_some() || args.to.is_some();
    let parameters = [
        ("date_macro", (!own).then(|| args.period.name().to_owned())),
        ("start_date", args.from.map(|day| day.to_string())),
        ("end_date", args.to.map(|day| day.to_string())),
        ("accounting_method", args.method.map(Method::name)),
    ];
    let body = fetch(api, "/v3/company/{realmId}/reports/ProfitAndLoss", &parameters).await?;
    let mut report = Report::of(&body);
    Ok(Profit {
        income: report.total("Income"),
        cost_of_goods_sold: report.total("COGS"),
        gross_profit: report.total("GrossProfit"),
        expenses: report.total("Expenses"),
        net_operating_income: report.total("NetOperatingIncome"),
        other_income: report.total("OtherIncome"),
        other_expenses: report.total("OtherExpenses"),
        net_income: report.total("NetIncome"),
        about: report.about(&body),
        accounts: report.lines,
    })
}

pub async fn balance_sheet(api: &QuickBooks, args: BalanceSheet) -> Result<Balance> {
    let day = args.date.map(|day| day.to_string());
    let parameters = [
        ("date_macro", day.is_none().then(|| "Today".to_owned())),
        ("start_date", day.clone()),
        ("end_date", day),
        ("accounting_method", args.method.map(Method::name)),
    ];
    let body = fetch(api, "/v3/company/{realmId}/reports/BalanceSheet", &parameters).await?;
    let mut report = Report::of(&body);
    Ok(Balance {
        assets: report.total("TotalAssets"),
        liabilities: report.total("Liabilities"),
        equity: report.total("Equity"),
        about: report.about(&body),
        accounts: report.lines,
    })
}

/// A report as it comes.
pub async fn fetch(api: &QuickBooks, endpoint: &'static str, parameters: &[(&str, Option<String>)]) -> Result<Value> {
    let body = api.get(endpoint, &[])?.with(parameters).read().await?.body;
    let shaped = body.get("Header").is_some_and(Value::is_object);
    if shaped { Ok(body) } else { Err(Error::upstream("QuickBooks answered without the report")) }
}

/// The text of a report's header.
pub fn header(body: &Value, name: &str) -> Option<String> {
    json::text(body.get("Header")?, name)
}

/// Whether QuickBooks says that there is nothing to report.
pub fn is_empty(body: &Value) -> bool {
    let options = body.get("Header").map(|header| json::list(header, "Option")).unwrap_or_default();
    options.iter().any(|option| option["Name"] == "NoReportData" && json::flag(option, "Value") == Some(true))
}

/// The columns of a report.
pub fn columns(body: &Value) -> &[Value] {
    body.get("Columns").map(|columns| json::list(columns, "Column")).unwrap_or_default()
}

/// The rows below a report or a section.
pub fn rows(value: &Value) -> &[Value] {
    value.get("Rows").map(|rows| json::list(rows, "Row")).unwrap_or_default()
}

/// An amount in a cell; an empty cell is none.
pub fn amount(cell: &Value) -> Option<f64> {
    json::number(cell, "value").map(cents)
}

/// What there is to read in a report: the sums of its groups and the accounts.
struct Report {
    /// The column that holds the sums.
    column: usize,
    totals: BTreeMap<String, f64>,
    lines: Vec<Line>,
}

const MOST_LINES: usize = 40;

impl Report {
    fn of(body: &Value) -> Report {
        let money = columns(body).iter().rposition(|column| column["ColType"] == "Money");
        let mut report = Report { column: money.unwrap_or(1), totals: BTreeMap::new(), lines: Vec::new() };
        report.descend(rows(body), "", 0);
        report
    }

    fn descend(&mut self, rows: &[Value], section: &str, depth: usize) {
        // A vendor's tree is a few levels deep; anything deeper is no report.
        if depth > 20 {
            return;
        }
        for row in rows {
            let head = row.get("Header").map(|header| json::list(header, "ColData")).unwrap_or_default();
            let title = head.first().and_then(|cell| json::text(cell, "value"));
            self.keep(json::list(row, "ColData"), section);
            self.keep(head, section);
            self.descend(self::rows(row), title.as_deref().unwrap_or(section), depth + 1);
            let sum = row.get("Summary").and_then(|summary| amount(json::list(summary, "ColData").get(self.column)?));
            if let (Some(group), Some(sum)) = (json::text(row, "group"), sum) {
                self.totals.entry(group).or_insert(sum);
            }
        }
    }

    /// An account with an amount of its own.
    fn keep(&mut self, cells: &[Value], section: &str) {
        let name = cells.first().and_then(|cell| json::text(cell, "value"));
        let sum = cells.get(self.column).and_then(amount).filter(|sum| *sum != 0.0);
        if let (Some(account), Some(amount)) = (name, sum) {
            self.lines.push(Line { section: section.to_owned(), account: sdk::text::cut(&account, 80), amount });
        }
    }

    fn total(&self, group: &str) -> Option<f64> {
        self.totals.get(group).copied()
    }

    fn about(&mut self, body: &Value) -> About {
        let left_out = self.lines.len().saturating_sub(MOST_LINES);
        self.lines.truncate(MOST_LINES);
        About {
            from: header(body, "StartPeriod"),
            to: header(body, "EndPeriod"),
            basis: header(body, "ReportBasis"),
            currency: header(body, "Currency"),
            no_data: is_empty(body),
            accounts_left_out: Some(left_out).filter(|count| *count > 0),
        }
    }
}

impl Period {
    fn name(self) -> &'static str {
        match self {
            Period::ThisMonth => "This Month-to-date",
            Period::LastMonth => "Last Month",
            Period::ThisQuarter => "This Fiscal Quarter-to-date",
            Period::LastQuarter => "Last Fiscal Quarter",
            Period::ThisYear => "This Fiscal Year-to-date",
            Period::LastYear => "Last Fiscal Year",
        }
    }
}

impl Method {
    fn name(self) -> String {
        match self {
            Method::Cash => "Cash".into(),
            Method::Accrual => "Accrual".into(),
        }
    }
}
