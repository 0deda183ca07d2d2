use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor};

use super::strings;
use crate::chain::canonical_json;
use crate::text::{clean, clean_option, digits, folded, merged};
use crate::{Backend, Result, Tenant, Tx, micros, nicknames, wall};

/// A contact as a connector read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewContact {
    pub vendor_id: String,
    /// The vendor's JSON, whole.
    pub data: Value,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub source: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
    pub importance: i16,
    /// Further words that it is found by, such as the industry in a custom field.
    pub extra_text: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What an upsert did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }
}

/// Rows in one INSERT: 21 columns each, so that PostgreSQL and SQLite both accept it.
const ROWS_A_STATEMENT: usize = 200;

/// SQLite has one writer, and the record of every call waits for it: a whole page would hold it for 10 ms.
const ROWS_A_TURN: usize = 25;

/// Stores a page of contacts. Rows whose content is the same only get `seen_run` and `last_synced`. What people wrote
/// (notes, their nicknames and tags) is never touched. Of two contacts with one id the last counts.
pub async fn upsert_batch(
    tenant: &Tenant,
    ecosystem: &str,
    run_id: Uuid,
    contacts: &[NewContact],
    now: DateTime<Utc>,
) -> Result<Counts> {
    let mut latest: HashMap<&str, &NewContact> = HashMap::with_capacity(contacts.len());
    latest.extend(contacts.iter().map(|contact| (contact.vendor_id.as_str(), contact)));
    let is_latest = |contact: &&NewContact| std::ptr::eq(latest[contact.vendor_id.as_str()], *contact);
    // In the order of the page, so that ids grow in the order in which the vendor lists.
    let contacts: Vec<&NewContact> = contacts.iter().filter(is_latest).collect();
    let rows_a_turn = match tenant.store().backend() {
        Backend::Postgres => contacts.len().max(1),
        Backend::Sqlite => ROWS_A_TURN,
    };
    let mut counts = Counts::default();
    for contacts in contacts.chunks(rows_a_turn) {
        counts += upsert(tenant, ecosystem, run_id, contacts, micros(now)).await?;
    }
    Ok(counts)
}

/// What a transaction writes is made ready before it begins.
async fn upsert(
    tenant: &Tenant,
    ecosystem: &str,
    run_id: Uuid,
    contacts: &[&NewContact],
    now: DateTime<Utc>,
) -> Result<Counts> {
    let contents: Vec<(String, Vec<u8>)> = contacts.iter().map(|contact| content(contact)).collect();
    let tx = tenant.begin().await?;
    let vendor_ids: Vec<&str> = contacts.iter().map(|contact| contact.vendor_id.as_str()).collect();
    let known = known(&tx, ecosystem, &vendor_ids).await?;
    let mut counts = Counts::default();
    let (mut changed, mut unchanged, mut rescored) = (Vec::new(), Vec::new(), Vec::new());
    for (contact, (data, hash)) in contacts.iter().zip(contents) {
        let known = known.get(contact.vendor_id.as_str());
        match known {
            Some(row) if row.data_hash == hash && row.deleted_at.is_none() => {
                counts.unchanged += 1;
                unchanged.push(row.id);
                if row.importance != contact.importance {
                    rescored.push((row.id, contact.importance));
                }
                continue;
            }
            Some(_) => counts.updated += 1,
            None => counts.created += 1,
        }
        changed.push(Changed { contact, data, hash, known });
    }
    write(&tx, ecosystem, run_id, &changed, now).await?;
    let expires_at = contacts.first().and_then(|contact| contact.expires_at);
    mark_seen(&tx, run_id, &unchanged, expires_at, now).await?;
    write_importance(&tx, &rescored).await?;
    tx.commit().await?;
    Ok(counts)
}

async fn write(tx: &Tx, ecosystem: &str, run_id: Uuid, changed: &[Changed<'_>], now: DateTime<Utc>) -> Result<()> {
    tx.copies(changed.len()).await?;
    for rows in changed.chunks(ROWS_A_STATEMENT) {
        let ids = write_contacts(tx, ecosystem, run_id, rows, now).await?;
        write_contexts(tx, rows, &ids, now).await?;
    }
    Ok(())
}

struct Changed<'a> {
    contact: &'a NewContact,
    data: String,
    hash: Vec<u8>,
    known: Option<&'a Known>,
}

#[derive(FromQueryResult)]
struct Known {
    id: i64,
    vendor_id: String,
    data_hash: Vec<u8>,
    deleted_at: Option<DateTime<Utc>>,
    importance: i16,
    own_nicknames: Json,
    custom_tags: Json,
    company_info: Option<String>,
}

async fn known(tx: &Tx, ecosystem: &str, vendor_ids: &[&str]) -> Result<HashMap<String, Known>> {
    let mut sql = tx.sql(
        "SELECT c.id, c.vendor_id, c.data_hash, c.deleted_at, c.importance, x.own_nicknames, x.custom_tags, \
         x.company_info",
    );
    sql.push_from_vendor_ids("contacts", tx.tenant_id(), ecosystem, vendor_ids, true);
    sql.push(" JOIN contact_context x ON x.contact_id = c.id");
    let rows = Known::find_by_statement(sql.statement()).all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.vendor_id.clone(), row)).collect())
}

/// The vendor's JSON as it is kept, and a hash over everything that is written except what changes by the mere passing
/// of time.
fn content(contact: &NewContact) -> (String, Vec<u8>) {
    let data = canonical_json(&contact.data);
    let mut hash = Sha256::new();
    let mut field = |text: Option<&str>| {
        let text = text.unwrap_or("\0");
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    field(Some(&data));
    for text in [
        &contact.name,
        &contact.first_name,
        &contact.company,
        &contact.email,
        &contact.phone,
        &contact.kind,
        &contact.source,
        &contact.extra_text,
    ] {
        field(text.as_deref());
    }
    for tag in &contact.tags {
        field(Some(tag));
    }
    for at in [contact.created_at, contact.last_activity] {
        hash.update(at.map_or(i64::MIN, |at| at.timestamp_micros()).to_be_bytes());
    }
    (data, hash.finalize().to_vec())
}

async fn write_contacts(
    tx: &Tx,
    ecosystem: &str,
    run_id: Uuid,
    rows: &[Changed<'_>],
    now: DateTime<Utc>,
) -> Result<HashMap<String, i64>> {
    let mut sql = tx.sql(
        "INSERT INTO contacts (tenant_id, ecosystem, vendor_id, data, name, first_name, company, email, phone, kind, \
         tags, source, created_at, last_activity, data_hash, extra_text, search_text, importance, last_synced, \
         expires_at, seen_run) VALUES ",
    );
    for (index, row) in rows.iter().enumerate() {
        let contact = row.contact;
        sql.push(if index == 0 { "(" } else { ", (" }).bind(tx.tenant_id()).push(", ").bind(ecosystem);
        sql.push(", ").bind(contact.vendor_id.as_str()).push(", ").bind_json(Some(row.data.clone()));
        for text in
            [&contact.name, &contact.first_name, &contact.company, &contact.email, &contact.phone, &contact.kind]
        {
            sql.push(", ").bind(clean_option(text.as_deref()));
        }
        sql.push(", ")
            .bind_json(Some(json_list(&contact.tags)))
            .push(", ")
            .bind(clean_option(contact.source.as_deref()));
        sql.push(", ").bind(contact.created_at.map(micros)).push(", ").bind(contact.last_activity.map(micros));
        sql.push(", ").bind(row.hash.clone()).push(", ").bind(clean_option(contact.extra_text.as_deref()));
        sql.push(", ").bind(search_text(row)).push(", ").bind(contact.importance).push(", ").bind(now);
        sql.push(", ").bind(contact.expires_at.map(micros)).push(", ").bind(run_id).push(")");
    }
    sql.push(
        " ON CONFLICT (tenant_id, ecosystem, vendor_id) DO UPDATE SET data = excluded.data, name = excluded.name, \
         first_name = excluded.first_name, company = excluded.company, email = excluded.email, phone = excluded.phone, \
         kind = excluded.kind, tags = excluded.tags, source = excluded.source, created_at = excluded.created_at, \
         last_activity = excluded.last_activity, data_hash = excluded.data_hash, extra_text = excluded.extra_text, \
         search_text = excluded.search_text, importance = excluded.importance, last_synced = excluded.last_synced, \
         expires_at = excluded.expires_at, deleted_at = NULL, seen_run = excluded.seen_run RETURNING id, vendor_id",
    );
    let mut ids = HashMap::with_capacity(rows.len());
    for row in tx.rows(sql).await? {
        ids.insert(row.try_get("", "vendor_id")?, row.try_get("", "id")?);
    }
    Ok(ids)
}

async fn write_contexts(tx: &Tx, rows: &[Changed<'_>], ids: &HashMap<String, i64>, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tx.sql(
        "INSERT INTO contact_context (contact_id, tenant_id, contact_name, nicknames, own_nicknames, \
         importance_score, custom_tags, updated_at) VALUES ",
    );
    for (index, row) in rows.iter().enumerate() {
        let contact = row.contact;
        let own = row.known.map(|known| strings(known.own_nicknames.clone())).unwrap_or_default();
        let all = merged(nicknames(contact.first_name.as_deref(), contact.company.as_deref()), own.clone());
        sql.push(if index == 0 { "(" } else { ", (" }).bind(ids[&contact.vendor_id]).push(", ").bind(tx.tenant_id());
        sql.push(", ").bind(clean_option(contact.name.as_deref())).push(", ").bind_json(Some(json_list(&all)));
        sql.push(", ").bind_json(Some(json_list(&own))).push(", ").bind(contact.importance).push(", ");
        sql.bind_json(Some("[]".to_owned())).push(", ").bind(now).push(")");
    }
    sql.push(
        " ON CONFLICT (contact_id) DO UPDATE SET contact_name = excluded.contact_name, \
         nicknames = excluded.nicknames, importance_score = excluded.importance_score, updated_at = excluded.updated_at",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// All rows of a page expire together.
async fn mark_seen(
    tx: &Tx,
    run_id: Uuid,
    ids: &[i64],
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql("UPDATE contacts SET seen_run = ");
    sql.bind(run_id).push(", last_synced = ").bind(now).push(", expires_at = ").bind(expires_at.map(micros));
    sql.push(" WHERE ").of_tenant("tenant_id", tx.tenant_id()).push(" AND id").among_ids(ids);
    tx.execute(sql).await?;
    Ok(())
}

/// Sorts what a sync has written into PostgreSQL's search index, where it waits in a list that every search reads
/// through. Call it at the end of a sync.
pub async fn settle_search(tenant: &Tenant) -> Result<()> {
    // Only the table's owner may, which the pool's connections are not where a wall stands.
    let Some(mut connection) = wall::connect(tenant.store().inner()).await? else { return Ok(()) };
    connection.execute("SELECT gin_clean_pending_list('contacts_search'::regclass)").await?;
    Ok(connection.close().await?)
}

/// Sets the importance of contacts whose score has changed by the passing of time.
pub async fn set_importance(tenant: &Tenant, scores: &[(i64, i16)]) -> Result<()> {
    let tx = tenant.begin().await?;
    write_importance(&tx, scores).await?;
    tx.commit().await
}

async fn write_importance(tx: &Tx, scores: &[(i64, i16)]) -> Result<()> {
    let mut by_score: HashMap<i16, Vec<i64>> = HashMap::new();
    for (id, score) in scores {
        by_score.entry(*score).or_default().push(*id);
    }
    for (score, ids) in by_score {
        for (table, column, key) in
            [("contacts", "importance", "id"), ("contact_context", "importance_score", "contact_id")]
        {
            let mut sql = tx.sql("UPDATE ");
            sql.push(table).push(" SET ").push(column).push(" = ").bind(score).push(" WHERE ");
            sql.of_tenant("tenant_id", tx.tenant_id()).push(" AND ").push(key).among_ids(&ids);
            tx.execute(sql).await?;
        }
    }
    Ok(())
}

fn search_text(row: &Changed<'_>) -> String {
    let contact = row.contact;
    let own = row.known.map(|known| strings(known.own_nicknames.clone())).unwrap_or_default();
    let custom_tags = row.known.map(|known| strings(known.custom_tags.clone())).unwrap_or_default();
    build_search_text(&SearchFields {
        name: contact.name.as_deref(),
        first_name: contact.first_name.as_deref(),
        company: contact.company.as_deref(),
        email: contact.email.as_deref(),
        phone: contact.phone.as_deref(),
        extra: contact.extra_text.as_deref(),
        company_info: row.known.and_then(|known| known.company_info.as_deref()),
        lists: &[&own, &contact.tags, &custom_tags],
    })
}

/// Everything that a contact is found by.
pub(super) struct SearchFields<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) first_name: Option<&'a str>,
    pub(super) company: Option<&'a str>,
    pub(super) email: Option<&'a str>,
    pub(super) phone: Option<&'a str>,
    pub(super) extra: Option<&'a str>,
    pub(super) company_info: Option<&'a str>,
    pub(super) lists: &'a [&'a [String]],
}

/// One line of lower-case text. The generated nicknames consist of words that are in it already.
pub(super) fn build_search_text(fields: &SearchFields<'_>) -> String {
    let phone = fields.phone.map(digits);
    let single = [fields.name, fields.company, fields.email, phone.as_deref(), fields.extra, fields.company_info];
    let name = fields.name.unwrap_or_default();
    let first_name = fields.first_name.filter(|first| !name.to_lowercase().contains(&first.to_lowercase()));
    let lists = fields.lists.iter().flat_map(|list| list.iter().map(String::as_str));
    // A space before and after every word: with it, three letters of an index can say "begins with jo".
    let mut text = String::with_capacity(128);
    text.push(' ');
    for part in single.into_iter().flatten().chain(first_name).chain(lists) {
        for word in part.split_whitespace() {
            text.push_str(&folded(&clean(word)));
            text.push(' ');
        }
    }
    text
}

pub(super) fn json_list(texts: &[String]) -> String {
    canonical_json(&Value::from(texts.to_vec()))
}
