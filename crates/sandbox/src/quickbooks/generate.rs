//! The books of the simulated business: its customers are the contacts who buy, with what they were billed and paid.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    SALT,
    books::{Books, Entity, cents, entity},
    dates, invoices, payments, realm,
};
use crate::{
    business::{Contact, Kind, random},
    clock::{DAY, HOUR, Millis},
    world::World,
};

/// More customers than that would make a small business none.
const MOST_CUSTOMERS: usize = 5_000;
const FIRST_NUMBER: u64 = 1_036;
const HISTORY: Millis = 540 * DAY;

pub(super) fn books(world: &World) -> Books {
    let (seed, start) = (world.options.seed ^ SALT, world.options.now.timestamp_millis());
    let start = start - start.rem_euclid(1_000);
    let mut books = Books::default();
    books.last_number = FIRST_NUMBER;
    company(&mut books, world.options.seed, start);
    accounts(&mut books, start);
    items(&mut books, start);
    let customers = customers(world, &mut books, seed, start);
    history(&mut books, seed, start, &customers);
    books
}

pub(super) fn currency() -> Value {
    json!({"value": "USD", "name": "United States Dollar"})
}

fn company(books: &mut Books, seed: u64, start: Millis) {
    let address = json!({"Id": "1", "Line1": "1740 Alameda Street", "City": "Los Angeles",
        "CountrySubDivisionCode": "CA", "PostalCode": "90021", "Country": "USA"});
    let row = json!({"CompanyName": "MedTainer", "LegalName": "MedTainer", "CompanyAddr": address, "Country": "US",
        "Email": {"Address": "billing@medtainer.example"}, "FiscalYearStartMonth": "January",
        "SupportedLanguages": "en", "CompanyStartDate": "2021-01-04",
        "NameValue": [{"Name": "NeoEnabled", "Value": "true"}, {"Name": "CompanyId", "Value": realm(seed)}]});
    add(books, "CompanyInfo", row, start - 1_100 * DAY);
}

/// Name, type, classification; the reports refer to them by position.
const ACCOUNTS: &[(&str, &str, &str)] = &[
    ("Checking", "Bank", "Asset"),
    ("Accounts Receivable (A/R)", "Accounts Receivable", "Asset"),
    ("Inventory Asset", "Other Current Asset", "Asset"),
    ("Accounts Payable (A/P)", "Accounts Payable", "Liability"),
    ("Retained Earnings", "Equity", "Equity"),
    ("Sales of Product Income", "Income", "Revenue"),
    ("Services", "Income", "Revenue"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "Expense"),
    ("Rent or Lease", "Expense", "Expense"),
    ("Payroll Expenses", "Expense", "Expense"),
    ("Freight", "Expense", "Expense"),
    ("Software", "Expense", "Expense"),
    ("Advertising", "Expense", "Expense"),
];

fn accounts(books: &mut Books, start: Millis) {
    for (name, kind, class) in ACCOUNTS {
        let row = json!({"Name": name, "FullyQualifiedName": name, "AccountType": kind, "Classification": class,
            "Active": true, "SubAccount": false, "CurrentBalance": 0, "CurrencyRef": currency()});
        add(books, "Account", row, start - 1_099 * DAY);
    }
}

/// Name, type, price.
const ITEMS: &[(&str, &str, f64)] = &[
    ("Services", "Service", 85.0),
    ("20 dram vial, case", "NonInventory", 148.5),
    ("40 dram vial, case", "NonInventory", 172.0),
    ("Pop-top jar, case", "NonInventory", 96.25),
    ("Pre-roll tube, case", "NonInventory", 64.8),
    ("Concentrate jar, case", "NonInventory", 118.4),
    ("Exit bag, box", "NonInventory", 42.15),
    ("Custom print run", "Service", 320.0),
    ("Shipping", "Service", 38.0),
];

fn items(books: &mut Books, start: Millis) {
    for (name, kind, price) in ITEMS {
        let income = if *kind == "Service" { ("7", "Services") } else { ("6", "Sales of Product Income") };
        let row = json!({"Name": name, "FullyQualifiedName": name, "Type": kind, "UnitPrice": price, "Active": true,
            "Taxable": false, "TrackQtyOnHand": false, "IncomeAccountRef": {"value": income.0, "name": income.1}});
        add(books, "Item", row, start - 1_098 * DAY);
    }
}

/// A customer and since when there is one.
struct Buyer {
    row: Value,
    since: Millis,
}

fn customers(world: &World, books: &mut Books, seed: u64, start: Millis) -> Vec<Buyer> {
    let business = world.business();
    let mut taken = HashSet::new();
    let known = business.contacts.iter().filter(|contact| contact.kind == "customer" && contact.added <= start);
    let buyers = known.take(MOST_CUSTOMERS).enumerate().map(|(n, contact)| {
        let random = &mut random(seed, Kind::Contact, n as u64);
        let since = contact.added + random.i64(0..20 * DAY).min(start - contact.added);
        Buyer { row: add(books, "Customer", customer(contact, &mut taken), since), since }
    });
    buyers.collect()
}

fn customer(contact: &Contact, taken: &mut HashSet<String>) -> Value {
    let mut name = contact.company.as_deref().map_or_else(|| contact.name(), str::to_owned).replace(':', " ");
    if taken.contains(&name.to_lowercase()) {
        name = format!("{} ({name})", contact.name()).replace(':', " ");
    }
    let plain = name.clone();
    let mut copies = 1;
    while !taken.insert(name.to_lowercase()) {
        copies += 1;
        name = format!("{plain} {copies}");
    }
    let mut row = json!({"DisplayName": name, "FullyQualifiedName": name, "PrintOnCheckName": name, "Active": true,
        "Job": false, "BillWithParent": false, "Balance": 0, "BalanceWithJobs": 0, "CurrencyRef": currency(),
        "PreferredDeliveryMethod": "Email", "Taxable": false, "IsProject": false});
    for (field, value) in
        [("GivenName", &contact.first_name), ("FamilyName", &contact.last_name), ("CompanyName", &contact.company)]
    {
        if let Some(value) = value {
            row[field] = json!(value);
        }
    }
    if let Some(email) = &contact.email {
        row["PrimaryEmailAddr"] = json!({"Address": email});
    }
    if let Some(phone) = &contact.phone {
        row["PrimaryPhone"] = json!({"FreeFormNumber": phone});
    }
    if let Some(street) = &contact.address {
        row["BillAddr"] = json!({"Line1": street, "City": contact.city, "CountrySubDivisionCode": contact.state,
            "PostalCode": contact.postal_code, "Country": "USA"});
    }
    row
}

enum Event {
    Invoice(usize, u64),
    Payment(u64, f64),
    Void(u64),
}

/// Invoices and payments in the order in which they happened.
fn history(books: &mut Books, seed: u64, start: Millis, customers: &[Buyer]) {
    let mut events = Vec::new();
    let mut bills = 0;
    for (position, buyer) in customers.iter().enumerate() {
        let random = &mut random(seed, Kind::Opportunity, position as u64);
        let first = buyer.since.max(start - HISTORY);
        for _ in 0..random.u8(0..5) {
            let at = first + random.i64(0..(start - first).max(1));
            events.push((at, Event::Invoice(position, bills)));
            events.extend(settled(random, bills, at, start));
            bills += 1;
        }
    }
    events.sort_by_key(|(at, event)| (*at, matches!(event, Event::Payment(..) | Event::Void(_))));
    let mut made: Vec<Option<Value>> = vec![None; usize::try_from(bills).unwrap_or_default()];
    for (at, event) in events {
        match event {
            Event::Invoice(position, bill) => {
                let row = invoice(books, seed, bill, &customers[position].row, at);
                made[bill as usize] = Some(row);
            }
            Event::Payment(bill, share) => pay(books, made[bill as usize].as_ref(), share, at),
            Event::Void(bill) => void(books, made[bill as usize].as_ref(), at),
        }
    }
}

/// How an invoice ended: most are paid within two months, some late, a few in part, a few never.
fn settled(random: &mut fastrand::Rng, bill: u64, at: Millis, start: Millis) -> Option<(Millis, Event)> {
    let ending = random.u8(..100);
    let when = at + random.i64(3 * DAY..56 * DAY);
    let event = match ending {
        0..2 => Event::Void(bill),
        2..7 => Event::Payment(bill, 0.5),
        7..90 => Event::Payment(bill, 1.0),
        _ => return None,
    };
    (when < start).then_some((when, event))
}

fn invoice(books: &mut Books, seed: u64, bill: u64, customer: &Value, at: Millis) -> Value {
    let random = &mut random(seed, Kind::Note, bill);
    let lines: Vec<Value> = (0..random.usize(1..4)).map(|_| line(random)).collect();
    let issued = dates::day(at);
    let mut row = json!({"Line": lines, "TxnDate": issued.to_string(), "DueDate": due(issued),
        "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]}, "SalesTermRef": {"value": "3", "name": "Net 30"}});
    if let Some(email) = customer["PrimaryEmailAddr"]["Address"].as_str() {
        row["BillEmail"] = json!({"Address": email});
        if random.u8(..100) < 92 {
            row["EmailStatus"] = json!("EmailSent");
            row["DeliveryInfo"] = json!({"DeliveryType": "Email", "DeliveryTime": dates::stamp(at + HOUR)});
        }
    }
    books.last_number += 1;
    row["DocNumber"] = json!(books.last_number.to_string());
    let total = invoices::add_up(books, &mut row).unwrap_or_default();
    row["Balance"] = json!(total);
    invoices::complete(&mut row, customer);
    let row = add(books, "Invoice", row, at);
    invoices::created(books, &row);
    row
}

fn due(issued: NaiveDate) -> String {
    dates::plus_days(issued, 30).to_string()
}

fn line(random: &mut fastrand::Rng) -> Value {
    let item = random.usize(..ITEMS.len());
    let (name, kind, price) = ITEMS[item];
    let count = if kind == "Service" { random.u32(1..6) } else { random.u32(2..48) };
    json!({"DetailType": "SalesItemLineDetail", "Amount": cents(price * f64::from(count)), "Description": name,
        "SalesItemLineDetail": {"ItemRef": {"value": (item + 1).to_string()}, "UnitPrice": price, "Qty": count}})
}

fn pay(books: &mut Books, invoice: Option<&Value>, share: f64, at: Millis) {
    let Some(invoice) = invoice else { return };
    let amount = cents(invoice["TotalAmt"].as_f64().unwrap_or_default() * share);
    let method = [("1", "Check"), ("2", "ACH"), ("3", "Visa")][(at.unsigned_abs() % 3) as usize];
    let linked = json!([{"TxnId": invoice["Id"], "TxnType": "Invoice"}]);
    let row = json!({"CustomerRef": invoice["CustomerRef"], "TotalAmt": amount, "UnappliedAmt": 0,
        "TxnDate": dates::day(at).to_string(), "CurrencyRef": currency(), "ProcessPayment": false,
        "PaymentMethodRef": {"value": method.0, "name": method.1}, "DepositToAccountRef": {"value": "1", "name": "Checking"},
        "Line": [{"Amount": amount, "LinkedTxn": linked}]});
    let row = add(books, "Payment", row, at);
    payments::apply(books, &row, 1.0, at);
}

fn void(books: &mut Books, invoice: Option<&Value>, at: Millis) {
    let (Some(kind), Some(invoice)) = (entity("Invoice"), invoice) else { return };
    if let Ok(row) = invoices::voided(books, invoice) {
        books.change(kind, row, at);
    }
}

fn add(books: &mut Books, name: &str, row: Value, at: Millis) -> Value {
    let kind: Option<&'static Entity> = entity(name);
    match kind {
        Some(kind) => books.insert(kind, row, at),
        None => row,
    }
}
