//! Writes the records of a page into the brain.

use chrono::{DateTime, Utc};
use sdk::stream::{Contact, Fields, Interaction, Opportunity};
use sdk::{Record, Result};
use store::contacts::{self, Counts, NewContact};
use store::interactions::{self, NewInteraction};
use store::opportunities::{self, NewOpportunity};
use uuid::Uuid;

use super::walk::Work;
use crate::brain::scoring::{self, Facts};

/// Writes a page; each table in one transaction.
pub(super) async fn records(work: &Work, run: Uuid, records: &[Record]) -> Result<Counts> {
    let now = work.app.clock.now();
    let (mut people, mut deals, mut talks) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match &record.fields {
            Fields::Contact(contact) => people.push(new_contact(record, contact, now)),
            Fields::Opportunity(opportunity) => deals.push(new_opportunity(record, opportunity)),
            Fields::Interaction(interaction) => talks.push((record, interaction)),
        }
    }
    let mut counts = Counts::default();
    if !people.is_empty() {
        let written = contacts::upsert_batch(&work.tenant, work.ecosystem, run, &people, now).await;
        counts += written.map_err(crate::unavailable)?;
    }
    if !deals.is_empty() {
        let written = opportunities::upsert_batch(&work.tenant, work.ecosystem, run, &deals, now).await;
        counts += written.map_err(crate::unavailable)?;
    }
    if !talks.is_empty() {
        counts += write_interactions(work, &talks).await?;
    }
    Ok(counts)
}

/// Marks what a whole walk did not see.
pub(super) async fn deletions(
    work: &Work,
    stream: &str,
    run: Uuid,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let deleted = match stream {
        "contacts" => contacts::mark_missing_deleted(&work.tenant, work.ecosystem, run, started_at, now).await,
        "opportunities" => {
            opportunities::mark_missing_deleted(&work.tenant, work.ecosystem, run, started_at, now).await
        }
        _ => Ok(0),
    };
    deleted.map_err(crate::unavailable)
}

async fn write_interactions(work: &Work, talks: &[(&Record, &Interaction)]) -> Result<Counts> {
    let vendor_ids: Vec<&str> = talks.iter().map(|(_, interaction)| interaction.contact.as_str()).collect();
    let known =
        contacts::ids_by_vendor_id(&work.tenant, work.ecosystem, &vendor_ids).await.map_err(crate::unavailable)?;
    // A message of a contact that was deleted meanwhile has nobody to belong to.
    let rows: Vec<NewInteraction> = talks
        .iter()
        .filter_map(|(record, talk)| {
            known.get(&talk.contact).map(|id| new_interaction(work.ecosystem, *id, record, talk))
        })
        .collect();
    let created = interactions::upsert_batch(&work.tenant, &rows).await.map_err(crate::unavailable)?;
    Ok(Counts { created, updated: 0, unchanged: rows.len() as u64 - created })
}

fn new_contact(record: &Record, contact: &Contact, now: DateTime<Utc>) -> NewContact {
    let facts = Facts {
        has_tags: !contact.tags.is_empty(),
        kind: contact.kind.as_deref(),
        last_activity: contact.last_activity,
        last_contact: None,
        interactions: 0,
    };
    NewContact {
        vendor_id: record.id.clone(),
        data: record.data.clone(),
        name: Some(contact.name.clone()).filter(|name| !name.is_empty()),
        first_name: contact.first_name.clone(),
        company: contact.company.clone(),
        email: contact.email.clone(),
        phone: contact.phone.clone(),
        kind: contact.kind.clone(),
        tags: contact.tags.clone(),
        source: contact.source.clone(),
        created_at: contact.created_at,
        last_activity: contact.last_activity,
        importance: i16::from(scoring::importance(&facts, now).value),
        extra_text: crate::brain::words(&record.data),
        expires_at: None,
    }
}

fn new_opportunity(record: &Record, opportunity: &Opportunity) -> NewOpportunity {
    NewOpportunity {
        vendor_id: record.id.clone(),
        contact_vendor_id: opportunity.contact.clone(),
        data: record.data.clone(),
        name: Some(opportunity.name.clone()),
        pipeline: opportunity.pipeline.clone(),
        stage: opportunity.stage.clone(),
        status: opportunity.status.clone(),
        value: opportunity.value,
        expires_at: None,
    }
}

fn new_interaction(ecosystem: &str, contact_id: i64, record: &Record, talk: &Interaction) -> NewInteraction {
    NewInteraction {
        contact_id,
        timestamp: talk.at,
        interaction_type: talk.kind.clone(),
        direction: talk.direction.clone(),
        description: Some(talk.description.clone()),
        extra_data: Some(record.data.clone()),
        ecosystem: ecosystem.into(),
        vendor_id: record.id.clone(),
    }
}
