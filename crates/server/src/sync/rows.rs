//! A connector's records as the brain's rows.

use chrono::{DateTime, Utc};
use sdk::Record;
use sdk::stream::{
    Contact, DnsRecord, Document, Domain, Fields, Interaction, InventoryItem, Invoice, Message, Opportunity, Order,
    Payment,
};
use serde_json::{Value, json};
use store::contacts::NewContact;
use store::interactions::NewInteraction;
use store::opportunities::NewOpportunity;
use store::vendor_rows::{self as tables, CUSTOMERS, NewRow, Table};
use store::{Bound, clean};

use crate::brain;
use crate::brain::scoring::{self, Facts};

/// The records of a page, by where they go.
#[derive(Default)]
pub(super) struct Sorted {
    pub people: Vec<NewContact>,
    pub talks: Vec<(String, Value, Interaction)>,
    /// Rows of the tables that hold a vendor's rows; a stream fills one of them.
    pub rows: Vec<(Table, Vec<NewRow>)>,
    /// The vendor's ids of what it says is gone.
    pub gone: Vec<String>,
}

pub(super) fn sorted(stream: &str, records: Vec<Record>, now: DateTime<Utc>) -> Sorted {
    let mut sorted = Sorted::default();
    for Record { id, data, fields, .. } in records {
        let (table, values) = match fields {
            Fields::Contact(customer) if stream == CUSTOMERS.name => (CUSTOMERS, customer_values(customer)),
            Fields::Contact(contact) => {
                sorted.people.push(new_contact(id, data, contact, now));
                continue;
            }
            Fields::Interaction(talk) => {
                sorted.talks.push((id, data, talk));
                continue;
            }
            Fields::Deleted => {
                sorted.gone.push(id);
                continue;
            }
            Fields::Opportunity(deal) => {
                sorted.add(tables::OPPORTUNITIES, opportunity(id, data, deal).into());
                continue;
            }
            Fields::Message(mail) => (tables::MESSAGES, message_values(mail)),
            Fields::Invoice(invoice) => (tables::INVOICES, invoice_values(invoice)),
            Fields::Payment(payment) => (tables::PAYMENTS, payment_values(payment)),
            Fields::Order(order) => (tables::ORDERS, order_values(order)),
            Fields::InventoryItem(item) => (tables::INVENTORY, inventory_values(item)),
            Fields::Document(document) => (tables::DOCUMENTS, document_values(document)),
            Fields::Domain(domain) => (tables::DOMAINS, domain_values(domain)),
            Fields::DnsRecord(record) => (tables::DNS_RECORDS, dns_values(record)),
        };
        sorted.add(table, NewRow { vendor_id: id, data, values });
    }
    sorted
}

impl Sorted {
    fn add(&mut self, table: Table, row: NewRow) {
        match self.rows.iter_mut().find(|(known, _)| *known == table) {
            Some((_, rows)) => rows.push(row),
            None => self.rows.push((table, vec![row])),
        }
    }
}

/// The table of a vendor's rows that a stream fills: it has the stream's name. `contacts` has its own module.
pub(super) fn table_of(stream: &str) -> Option<Table> {
    tables::TABLES.into_iter().find(|table| table.name == stream)
}

fn new_contact(vendor_id: String, data: Value, contact: Contact, now: DateTime<Utc>) -> NewContact {
    let facts = Facts {
        has_tags: !contact.tags.is_empty(),
        kind: contact.kind.as_deref(),
        last_activity: contact.last_activity,
        last_contact: None,
        interactions: 0,
    };
    NewContact {
        importance: i16::from(scoring::importance(&facts, now).value),
        extra_text: crate::brain::words(&data),
        vendor_id,
        data,
        name: Some(contact.name).filter(|name| !name.is_empty()),
        first_name: contact.first_name,
        company: contact.company,
        email: contact.email,
        phone: contact.phone,
        kind: contact.kind,
        tags: contact.tags,
        source: contact.source,
        created_at: contact.created_at,
        last_activity: contact.last_activity,
        expires_at: None,
    }
}

fn opportunity(vendor_id: String, data: Value, opportunity: Opportunity) -> NewOpportunity {
    NewOpportunity {
        vendor_id,
        contact_vendor_id: opportunity.contact,
        data,
        name: Some(opportunity.name),
        pipeline: opportunity.pipeline,
        stage: opportunity.stage,
        status: opportunity.status,
        value: opportunity.value,
    }
}

pub(super) fn interaction(
    ecosystem: &str,
    contact_id: i64,
    (vendor_id, data, talk): &(String, Value, Interaction),
) -> NewInteraction {
    NewInteraction {
        contact_id,
        timestamp: talk.at,
        interaction_type: talk.kind.clone(),
        direction: talk.direction.clone(),
        description: Some(talk.description.clone()),
        extra_data: Some(data.clone()),
        ecosystem: ecosystem.into(),
        vendor_id: vendor_id.clone(),
    }
}

fn text(text: Option<String>) -> Bound {
    clean(text.as_deref()).into()
}

/// Addresses are compared letter by letter.
fn address(text: Option<String>) -> Bound {
    clean(text.map(|text| text.trim().to_lowercase()).as_deref()).into()
}

fn customer_values(customer: Contact) -> Vec<Bound> {
    let digits: Option<String> = customer.phone.as_deref().and_then(brain::linking::digits);
    vec![
        text(Some(customer.name).filter(|name| !name.is_empty())),
        text(customer.company),
        address(customer.email),
        text(customer.phone),
        text(digits),
    ]
}

/// Mails become interactions of the contacts whose addresses they have at the end of a walk (`store::mails`).
fn message_values(mail: Message) -> Vec<Bound> {
    let others = if mail.outbound { mail.to } else { vec![mail.from] };
    vec![json!(others).into(), text(Some(mail.subject)), store::micros(mail.at).into(), mail.outbound.into()]
}

fn invoice_values(invoice: Invoice) -> Vec<Bound> {
    vec![
        text(invoice.number),
        text(invoice.customer),
        text(invoice.customer_name),
        address(invoice.customer_email),
        invoice.issued.into(),
        invoice.due.into(),
        invoice.total.into(),
        invoice.balance.into(),
        text(invoice.currency),
        text(Some(invoice.status)),
    ]
}

fn payment_values(payment: Payment) -> Vec<Bound> {
    vec![
        text(payment.customer),
        text(payment.customer_name),
        payment.paid_on.into(),
        payment.amount.into(),
        text(payment.currency),
        text(payment.method),
        json!(payment.invoices).into(),
    ]
}

fn order_values(order: Order) -> Vec<Bound> {
    vec![
        text(order.buyer_name),
        address(order.buyer_email),
        order.placed_at.map(store::micros).into(),
        text(Some(order.status)),
        order.total.into(),
        text(order.currency),
        i64::from(order.items).into(),
        text(order.fulfilled_by),
        order.ship_by.map(store::micros).into(),
    ]
}

fn inventory_values(item: InventoryItem) -> Vec<Bound> {
    vec![text(Some(item.sku)), text(item.name), item.available.into(), item.reserved.into(), item.inbound.into()]
}

fn document_values(document: Document) -> Vec<Bound> {
    vec![
        text(Some(document.name)),
        text(document.mime_type),
        address(document.owner_email),
        document.modified_at.map(store::micros).into(),
        text(document.link),
        document.size.into(),
    ]
}

fn domain_values(domain: Domain) -> Vec<Bound> {
    vec![
        text(Some(domain.name)),
        text(domain.status),
        domain.expires_at.map(store::micros).into(),
        domain.auto_renew.into(),
        json!(domain.name_servers).into(),
    ]
}

fn dns_values(record: DnsRecord) -> Vec<Bound> {
    vec![
        text(Some(record.domain)),
        text(Some(record.name)),
        text(Some(record.kind)),
        text(Some(record.content)),
        record.ttl.into(),
        record.priority.map(i64::from).into(),
    ]
}
