//! Writes the records of a page into the brain.

use chrono::{DateTime, Utc};
use sdk::stream::{Contact, Fields, Interaction, Opportunity};
use sdk::{Record, Result};
use serde_json::Value;
use store::contacts::{self, Counts, NewContact};
use store::interactions::{self, NewInteraction};
use store::opportunities::{self, NewOpportunity};
use uuid::Uuid;

use super::walk::Work;
use crate::brain::scoring::{self, Facts};

/// Interactions in one transaction. While one is open, the embedded database writes nothing else.
const INTERACTIONS_AT_ONCE: usize = 100;

/// Writes a page.
pub(super) async fn records(work: &Work, run: Uuid, records: Vec<Record>) -> Result<Counts> {
    let now = work.app.clock.now();
    let (mut people, mut deals, mut talks) = (Vec::new(), Vec::new(), Vec::new());
    for Record { id, data, fields, .. } in records {
        match fields {
            Fields::Contact(contact) => people.push(new_contact(id, data, contact, now)),
            Fields::Opportunity(opportunity) => deals.push(new_opportunity(id, data, opportunity)),
            Fields::Interaction(interaction) => talks.push((id, data, interaction)),
            _ => {}
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
    for talks in talks.chunks(INTERACTIONS_AT_ONCE) {
        counts += write_interactions(work, talks).await?;
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

type Talk = (String, Value, Interaction);

async fn write_interactions(work: &Work, talks: &[Talk]) -> Result<Counts> {
    let vendor_ids: Vec<&str> = talks.iter().map(|(.., interaction)| interaction.contact.as_str()).collect();
    let known =
        contacts::ids_by_vendor_id(&work.tenant, work.ecosystem, &vendor_ids).await.map_err(crate::unavailable)?;
    // A message of a contact that was deleted meanwhile has nobody to belong to.
    let rows: Vec<NewInteraction> = talks
        .iter()
        .filter_map(|talk| known.get(&talk.2.contact).map(|id| new_interaction(work.ecosystem, *id, talk)))
        .collect();
    let created = interactions::upsert_batch(&work.tenant, &rows).await.map_err(crate::unavailable)?;
    Ok(Counts { created, updated: 0, unchanged: rows.len() as u64 - created })
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

fn new_opportunity(vendor_id: String, data: Value, opportunity: Opportunity) -> NewOpportunity {
    NewOpportunity {
        vendor_id,
        contact_vendor_id: opportunity.contact,
        data,
        name: Some(opportunity.name),
        pipeline: opportunity.pipeline,
        stage: opportunity.stage,
        status: opportunity.status,
        value: opportunity.value,
        expires_at: None,
    }
}

fn new_interaction(ecosystem: &str, contact_id: i64, (vendor_id, data, talk): &Talk) -> NewInteraction {
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
