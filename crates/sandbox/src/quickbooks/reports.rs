//! Reports: profit and loss, balance sheet, aged receivables. All values are texts, as the vendor writes them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    books::{Books, cents, entity},
    calls::Asked,
    dates,
    fault::Fault,
};

pub(super) fn answer(books: &Books, asked: &Asked<'_>, name: &str) -> Result<Value, Fault> {
    match name {
        "ProfitAndLoss" => profit_and_loss(books, asked),
        "BalanceSheet" => balance_sheet(books, asked),
        "AgedReceivables" => aged_receivables(books, asked),
        _ => Err(Fault::unsupported(format!("Permission Denied Error : report {name} is not simulated"))),
    }
}

/// What the business spends every day, whatever it sells.
const DAILY: &[(&str, &str, f64)] = &[
    ("9", "Rent or Lease", 64.0),
    ("10", "Payroll Expenses", 310.0),
    ("11", "Freight", 42.5),
    ("12", "Software", 11.2),
    ("13", "Advertising", 23.8),
];
const COST_SHARE: f64 = 0.46;

fn profit_and_loss(books: &Books, asked: &Asked<'_>) -> Result<Value, Fault> {
    let (from, to) = period(asked)?;
    let cash = asked.parameter("accounting_method").is_some_and(|method| method.eq_ignore_ascii_case("cash"));
    let income = if cash { received(books, from, to) } else { billed(books, from, to) };
    let days = ((to.min(dates::day(asked.now)) - from).num_days() + 1).max(0);
    let sold = income.get(&("6".to_owned(), "Sales of Product Income".to_owned())).copied().unwrap_or_default();
    let costs = vec![account("8", "Cost of Goods Sold", sold * COST_SHARE)];
    let spent = |(id, name, rate): &(&str, &str, f64)| account(id, name, rate * days as f64);
    let expenses: Vec<(Value, f64)> = DAILY.iter().map(spent).collect();
    let nothing = income.is_empty();
    let income: Vec<(Value, f64)> = income.into_iter().map(|((id, name), sum)| account(&id, &name, sum)).collect();
    let (earned, cost, spent) = (sum(&income), sum(&costs), sum(&expenses));
    let rows = if nothing && days == 0 {
        Vec::new()
    } else {
        vec![
            section("Income", "Income", "Total Income", income),
            section("COGS", "Cost of Goods Sold", "Total Cost of Goods Sold", costs),
            result("GrossProfit", "Gross Profit", earned - cost),
            section("Expenses", "Expenses", "Total Expenses", expenses),
            result("NetOperatingIncome", "Net Operating Income", earned - cost - spent),
            result("NetIncome", "Net Income", earned - cost - spent),
        ]
    };
    let basis = if cash { "Cash" } else { "Accrual" };
    Ok(report("ProfitAndLoss", basis, (from, to), &["", "Total"], rows, asked))
}

fn balance_sheet(books: &Books, asked: &Asked<'_>) -> Result<Value, Fault> {
    let (from, to) = period(asked)?;
    let owed: f64 = open(books, to).map(|row| row["Balance"].as_f64().unwrap_or_default()).sum();
    let bank: f64 = received(books, NaiveDate::MIN, to).values().sum::<f64>() * 0.31;
    let (stock, payable) = (18_420.0, 9_215.4);
    let bank = section("BankAccounts", "Bank Accounts", "Total Bank Accounts", vec![account("1", "Checking", bank)]);
    let receivable = vec![account("2", "Accounts Receivable (A/R)", owed)];
    let receivable = section("AR", "Accounts Receivable", "Total Accounts Receivable", receivable);
    let other = section(
        "OtherCurrentAssets",
        "Other Current Assets",
        "Total Other Current Assets",
        vec![account("3", "Inventory Asset", stock)],
    );
    let assets = nested("TotalAssets", "ASSETS", "TOTAL ASSETS", vec![bank, receivable, other]);
    let total = summed(&assets);
    let debts = vec![account("4", "Accounts Payable (A/P)", payable)];
    let debts = section("Liabilities", "Liabilities", "Total Liabilities", debts);
    let equity = vec![account("5", "Retained Earnings", total - payable)];
    let equity = section("Equity", "Equity", "Total Equity", equity);
    let both = nested(
        "TotalLiabilitiesAndEquity",
        "LIABILITIES AND EQUITY",
        "TOTAL LIABILITIES AND EQUITY",
        vec![debts, equity],
    );
    Ok(report("BalanceSheet", "Accrual", (from, to), &["", "Total"], vec![assets, both], asked))
}

const AGES: &[&str] = &["", "Current", "1 - 30", "31 - 60", "61 - 90", "91 and over", "Total"];

fn aged_receivables(books: &Books, asked: &Asked<'_>) -> Result<Value, Fault> {
    let today = dates::day(asked.now);
    let day = match asked.parameter("report_date") {
        Some(text) => dates::parse_day(text).ok_or_else(|| Fault::missing("report_date"))?,
        None => today,
    };
    let mut customers: BTreeMap<(String, String), [f64; 6]> = BTreeMap::new();
    for row in open(books, day) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (text(&row["CustomerRef"]["name"]), text(&row["CustomerRef"]["value"]));
        let late = row["DueDate"].as_str().and_then(dates::parse_day).map_or(0, |due| (day - due).num_days());
        let column = match late {
            ..=0 => 0,
            1..=30 => 1,
            31..=60 => 2,
            61..=90 => 3,
            _ => 4,
        };
        let balance = row["Balance"].as_f64().unwrap_or_default();
        let sums = customers.entry(key).or_default();
        sums[column] += balance;
        sums[5] += balance;
    }
    let mut totals = [0.0; 6];
    let mut rows = Vec::new();
    for ((name, id), sums) in &customers {
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        rows.push(json!({"ColData": cells(json!({"value": name, "id": id}), sums), "type": "Data"}));
    }
    if !rows.is_empty() {
        rows.push(json!({"Summary": {"ColData": cells(json!({"value": "TOTAL"}), &totals)}, "type": "Section", "group": "GrandTotal"}));
    }
    Ok(report("AgedReceivables", "Accrual", (day, day), AGES, rows, asked))
}

fn cells(first: Value, sums: &[f64; 6]) -> Vec<Value> {
    let written = |sum: &f64| json!({"value": if *sum == 0.0 { String::new() } else { money(*sum) }});
    [first].into_iter().chain(sums.iter().map(written)).collect()
}

fn open(books: &Books, day: NaiveDate) -> impl Iterator<Item = &Value> {
    let day = day.to_string();
    books.rows("Invoice").filter(move |row| {
        row["Balance"].as_f64().is_some_and(|balance| balance > 0.0)
            && row["TxnDate"].as_str().is_some_and(|at| at <= day.as_str())
    })
}

/// Income by account from what was billed.
fn billed(books: &Books, from: NaiveDate, to: NaiveDate) -> BTreeMap<(String, String), f64> {
    let mut sums = BTreeMap::new();
    for row in books.rows("Invoice").filter(|row| within(row, from, to)) {
        for line in row["Line"].as_array().into_iter().flatten() {
            let item = line["SalesItemLineDetail"]["ItemRef"]["value"].as_str();
            let item = item.and_then(|id| entity("Item").and_then(|items| books.get(items, id)));
            let Some(account) = item.map(|item| &item["IncomeAccountRef"]) else { continue };
            let text = |name: &str| account[name].as_str().unwrap_or_default().to_owned();
            *sums.entry((text("value"), text("name"))).or_default() += line["Amount"].as_f64().unwrap_or_default();
        }
    }
    sums
}

fn received(books: &Books, from: NaiveDate, to: NaiveDate) -> BTreeMap<(String, String), f64> {
    let paid = books.rows("Payment").filter(|row| within(row, from, to));
    let sum: f64 = paid.map(|row| row["TotalAmt"].as_f64().unwrap_or_default()).sum();
    let account = ("6".to_owned(), "Sales of Product Income".to_owned());
    if sum == 0.0 { BTreeMap::new() } else { BTreeMap::from([(account, sum)]) }
}

fn within(row: &Value, from: NaiveDate, to: NaiveDate) -> bool {
    row["TxnDate"].as_str().and_then(dates::parse_day).is_some_and(|day| from <= day && day <= to)
}

fn period(asked: &Asked<'_>) -> Result<(NaiveDate, NaiveDate), Fault> {
    let today = dates::day(asked.now);
    let day = |name: &str| {
        asked.parameter(name).map(|text| dates::parse_day(text).ok_or_else(|| Fault::missing(name))).transpose()
    };
    let (from, to) = (day("start_date")?, day("end_date")?);
    if let Some(name) = asked.parameter("date_macro") {
        return dates::of_macro(name, today).ok_or_else(|| {
            Fault::validation("2170", "Invalid Enumeration", format!("date_macro {name} is not known"))
                .about("date_macro")
        });
    }
    let to = to.unwrap_or(today);
    let first = NaiveDate::from_ymd_opt(chrono::Datelike::year(&to), 1, 1).unwrap_or(to);
    Ok((from.unwrap_or(first), to))
}

fn account(id: &str, name: &str, amount: f64) -> (Value, f64) {
    let amount = cents(amount);
    (json!({"ColData": [{"value": name, "id": id}, {"value": money(amount)}], "type": "Data"}), amount)
}

fn sum(rows: &[(Value, f64)]) -> f64 {
    cents(rows.iter().map(|(_, amount)| amount).sum())
}

fn section(group: &str, title: &str, summary: &str, rows: Vec<(Value, f64)>) -> Value {
    let total = sum(&rows);
    let rows: Vec<Value> = rows.into_iter().map(|(row, _)| row).collect();
    headed(group, title, summary, rows, total)
}

fn nested(group: &str, title: &str, summary: &str, sections: Vec<Value>) -> Value {
    let total = sections.iter().map(summed).sum();
    headed(group, title, summary, sections, total)
}

fn headed(group: &str, title: &str, summary: &str, rows: Vec<Value>, total: f64) -> Value {
    json!({"Header": {"ColData": [{"value": title}, {"value": ""}]}, "Rows": {"Row": rows},
        "Summary": {"ColData": [{"value": summary}, {"value": money(total)}]}, "type": "Section", "group": group})
}

fn result(group: &str, title: &str, amount: f64) -> Value {
    json!({"Summary": {"ColData": [{"value": title}, {"value": money(amount)}]}, "type": "Section", "group": group})
}

fn summed(section: &Value) -> f64 {
    section["Summary"]["ColData"][1]["value"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn money(amount: f64) -> String {
    format!("{:.2}", cents(amount))
}

fn report(
    name: &str,
    basis: &str,
    (from, to): (NaiveDate, NaiveDate),
    columns: &[&str],
    rows: Vec<Value>,
    asked: &Asked<'_>,
) -> Value {
    let empty = json!({"Name": "NoReportData", "Value": rows.is_empty().to_string()});
    let column = |(n, title): (usize, &&str)| {
        let (kind, key) = if n == 0 {
            (if columns.len() > 2 { "Customer" } else { "Account" }, "account")
        } else {
            ("Money", "total")
        };
        json!({"ColTitle": title, "ColType": kind, "MetaData": [{"Name": "ColKey", "Value": key}]})
    };
    let columns: Vec<Value> = columns.iter().enumerate().map(column).collect();
    json!({
        "Header": {"Time": dates::time(asked.now), "ReportName": name, "ReportBasis": basis, "StartPeriod": from.to_string(),
            "EndPeriod": to.to_string(), "SummarizeColumnsBy": "Total", "Currency": "USD",
            "Option": [{"Name": "AccountingStandard", "Value": "GAAP"}, empty]},
        "Columns": {"Column": columns},
        "Rows": {"Row": rows},
    })
}
