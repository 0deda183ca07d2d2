//! The documents, mails and events of the business: customers of the contact list write, are quoted and met.

use chrono::Datelike;
use serde_json::{Value, json};

use super::{
    calendar,
    state::{Event, File, Mail, State, Tab},
};
use crate::{
    business::{Business, Channel, Contact},
    clock::{DAY, HOUR, Millis, moment},
};

const NATIVE: &str = "application/vnd.google-apps";
/// Companies with documents of their own.
const QUOTED: usize = 80;
/// Mails that the mailbox keeps of the past.
const MAILS: usize = 2_000;

pub(super) fn fill(state: &mut State, business: &Business, now: Millis) {
    let user = &business.users[0];
    state.me = (format!("{} {}", user.first_name, user.last_name), user.email.to_owned());
    files(state, business, now);
    mails(state, business);
    events(state, business, now);
}

fn files(state: &mut State, business: &Business, now: Millis) {
    let customers: Vec<&Contact> = business
        .contacts
        .iter()
        .filter(|contact| contact.company.is_some() && contact.email.is_some())
        .take(QUOTED)
        .collect();
    let folder =
        |state: &mut State, name: &str| add(state, name, &format!("{NATIVE}.folder"), "root", 400 * DAY, now, "");
    let (sales, finance) = (folder(state, "Sales"), folder(state, "Finance"));
    for (n, contact) in customers.iter().enumerate() {
        let company = contact.company.as_deref().unwrap_or_default();
        let age = (n as Millis * 7 + 2) % 300 * DAY + n as Millis * HOUR;
        let text = format!(
            "Quote for {company}\n\nFor {}, {}\n{}\n\n{} cases of 20 dram vials at $0.11 each.\nValid for 30 days.\n",
            contact.name(),
            contact.email.as_deref().unwrap_or_default(),
            contact.phone.as_deref().unwrap_or_default(),
            10 + n % 40
        );
        add(state, &format!("Quote - {company}"), &format!("{NATIVE}.document"), &sales, age, now, &text);
        if n % 4 == 0 {
            add(state, &format!("Contract - {company}.pdf"), "application/pdf", &sales, age + DAY, now, &text);
        }
    }
    add(
        state,
        "Brand book",
        &format!("{NATIVE}.presentation"),
        "root",
        200 * DAY,
        now,
        "MedTainer\nContainers that last\n",
    );
    add(state, "Warehouse rules.txt", "text/plain", "root", 90 * DAY, now, "Do not ship on Fridays.\n");
    let old =
        add(state, "Price list (old)", &format!("{NATIVE}.document"), &sales, 700 * DAY, now, "Prices of long ago");
    if let Some(file) = state.files.iter_mut().find(|file| file.id == old) {
        file.trashed = true;
    }
    let year = moment(now).year();
    book(state, "Customers", &sales, now, vec![tab(0, "Customers", customer_rows(&customers))]);
    book(state, "Price list", &sales, now, vec![tab(0, "Prices", prices()), tab(71, "It's old", Vec::new())]);
    let head = vec![vec![json!("Number"), json!("Customer"), json!("Total"), json!("Due")]];
    book(state, &format!("Invoices {year}"), &finance, now, vec![tab(0, "Invoices", head), tab(5, "Log", Vec::new())]);
}

fn add(state: &mut State, name: &str, mime: &str, parent: &str, age: Millis, now: Millis, text: &str) -> String {
    let id = format!("1{}", state.new_id());
    let owner = state.me.clone();
    let (created, modified) = (now - age - 3 * DAY, now - age);
    state.files.push(File {
        id: id.clone(),
        name: name.to_owned(),
        mime: mime.to_owned(),
        parent: parent.to_owned(),
        owner,
        created,
        modified,
        text: text.to_owned(),
        ..File::default()
    });
    id
}

fn book(state: &mut State, name: &str, parent: &str, now: Millis, tabs: Vec<Tab>) {
    let id = add(state, name, &format!("{NATIVE}.spreadsheet"), parent, 5 * DAY, now, "");
    if let Some(file) = state.files.iter_mut().find(|file| file.id == id) {
        file.tabs = tabs;
    }
}

fn tab(id: i64, name: &str, cells: Vec<Vec<Value>>) -> Tab {
    Tab { id, name: name.to_owned(), rows: 1_000, columns: 26, cells }
}

fn customer_rows(customers: &[&Contact]) -> Vec<Vec<Value>> {
    let head = ["Name", "Company", "Email", "Phone", "City"].map(|name| json!(name)).to_vec();
    let row = |contact: &&Contact| {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| json!(text));
        vec![
            json!(contact.name()),
            text(contact.company.as_deref()),
            text(contact.email.as_deref()),
            text(contact.phone.as_deref()),
            text(contact.city.as_deref()),
        ]
    };
    std::iter::once(head).chain(customers.iter().map(row)).collect()
}

fn prices() -> Vec<Vec<Value>> {
    let row = |name: &str, cases: u32, price: f64, stocked: bool| {
        vec![json!(name), json!(cases), json!(price), json!(stocked)]
    };
    vec![
        vec![json!("Article"), json!("Case"), json!("Price"), json!("In stock")],
        row("20 dram vial", 240, 0.11, true),
        row("40 dram vial", 160, 0.17, true),
        row("Pop-top jar", 120, 0.42, false),
        row("Pre-roll tube", 500, 0.09, true),
    ]
}

/// The e-mails of the contacts' conversations, as the mailbox of the connected person has them.
fn mails(state: &mut State, business: &Business) {
    let me = format!("{} <{}>", state.me.0, state.me.1);
    for conversation in &business.conversations {
        let Some(contact) = business.contacts.get(conversation.contact) else { continue };
        let Some(email) = contact.email.as_deref() else { continue };
        let them = format!("{} <{email}>", contact.name());
        let thread = state.new_id()[..16].to_owned();
        for message in business.messages(conversation).into_iter().filter(|message| message.channel == Channel::Email) {
            let id = state.new_id()[..16].to_owned();
            let (from, to) = if message.inbound { (&them, &me) } else { (&me, &them) };
            let number = state.mails.len();
            let mut labels = if message.inbound { vec!["INBOX", "CATEGORY_PERSONAL"] } else { vec!["SENT"] };
            if message.inbound && conversation.unread > 0 && message.at == conversation.past_end {
                labels.push("UNREAD");
            }
            let page = message.inbound && number % 7 == 3;
            state.mails.push(Mail {
                headers: vec![
                    ("From".into(), from.clone()),
                    ("To".into(), to.clone()),
                    ("Subject".into(), message.subject.unwrap_or_default()),
                    ("Date".into(), moment(message.at).to_rfc2822()),
                    ("Message-ID".into(), format!("<{id}@mail.example>")),
                ],
                html: page.then(|| format!("<html><body><p>{}</p></body></html>", message.body)),
                text: if page { String::new() } else { message.body },
                attachments: if number % 11 == 5 { vec!["Order.pdf".into()] } else { Vec::new() },
                id,
                thread: thread.clone(),
                at: message.at,
                labels,
                raw: None,
            });
        }
    }
    state.mails.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    state.mails.truncate(MAILS);
}

fn events(state: &mut State, business: &Business, now: Millis) {
    for appointment in &business.appointments {
        let contact = business.contacts.get(appointment.contact);
        let guests: Vec<Value> = contact
            .and_then(|contact| contact.email.as_deref())
            .map(|email| json!({"email": email, "responseStatus": "accepted"}))
            .into_iter()
            .collect();
        let id = state.new_id();
        let mut row = json!({"summary": appointment.title, "attendees": guests, "status": "confirmed"});
        row["start"] = calendar::at(appointment.start);
        row["end"] = calendar::at(appointment.end);
        let event = Event { id, start: appointment.start, end: appointment.end, updated: appointment.updated, row };
        state.events.push(event);
    }
    let day = now - now.rem_euclid(DAY) + DAY;
    let (id, date) = (state.new_id(), |at: Millis| json!({"date": moment(at).date_naive().to_string()}));
    let row = json!({"summary": "Trade show", "location": "Las Vegas", "status": "confirmed", "start": date(day),
        "end": date(day + 2 * DAY)});
    state.events.push(Event { id, start: day, end: day + 2 * DAY, updated: now - DAY, row });
}
