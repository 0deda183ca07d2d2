//! Pages of plain markdown: the facts for MCP's resources and prompts.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sdk::Result;
use store::contacts as rows;
use store::opportunities;
use store::{Tenant, sync_runs};

use super::contacts::{Contact, NeedsFollowUp, needs_follow_up};
use super::insights::{Insight, Kind};
use super::report::{GetRecommendations, insights, recommendations};
use super::stats::{freshness, sync_stats};
use super::times::ago;
use super::tools::{DEALS, TALKS};
use super::view::{View, View360, view_360};
use crate::unavailable;

/// Contacts, pipeline, relationship health, what stands out, and the age of the data.
pub async fn dashboard(tenant: &Tenant, now: DateTime<Utc>) -> Result<String> {
    let (stats, found) = (sync_stats(tenant, now).await?, insights(tenant, now).await?);
    let mut page = Page::new("Business dashboard", freshness(tenant, DEALS).await?, now);
    page.heading("Contacts");
    page.item(format!(
        "{} contacts, {} with e-mail, {} with phone",
        stats.contacts, stats.contacts_with_email, stats.contacts_with_phone
    ));
    stats.notes.into_iter().for_each(|note| page.item(note));
    page.heading("Pipeline");
    pipeline(&mut page, tenant).await?;
    page.heading("What stands out");
    page.insights(&found.insights, 3);
    Ok(page.text)
}

/// Who has to hear from the business today, and why.
pub async fn urgent_today(tenant: &Tenant, now: DateTime<Utc>) -> Result<String> {
    let mut page = Page::new("Urgent today", freshness(tenant, TALKS).await?, now);
    page.urgent(tenant, now, 20).await?;
    Ok(page.text)
}

/// Who is new, who was active, and what the last syncs found.
pub async fn recent_changes(tenant: &Tenant, now: DateTime<Utc>) -> Result<String> {
    let mut page = Page::new("Recent changes", freshness(tenant, &[]).await?, now);
    page.changes(tenant, now).await?;
    page.heading("Last syncs");
    for run in sync_runs::list(tenant, None, None, 5).await.map_err(unavailable)? {
        let counts = format!(
            "fetched {}, created {}, updated {}, unchanged {}, deleted {}, errors {}",
            run.fetched, run.created, run.updated, run.unchanged, run.deleted, run.errors
        );
        page.item(format!(
            "{} {} ({}), {}, {}: {counts}",
            run.ecosystem,
            run.stream,
            run.mode,
            run.state,
            ago(now - run.started_at)
        ));
    }
    page.close("No sync has run yet.");
    Ok(page.text)
}

/// What happened, what is urgent, and what to do first.
pub async fn daily_briefing(tenant: &Tenant, now: DateTime<Utc>) -> Result<String> {
    let found = insights(tenant, now).await?;
    let advice = recommendations(tenant, now, GetRecommendations::default()).await?;
    let mut page = Page::new("Daily briefing", freshness(tenant, DEALS).await?, now);
    page.urgent(tenant, now, 10).await?;
    page.heading("What to do next");
    for one in &advice.recommendations {
        page.item(format!("{} (id {}): {}", one.action, one.contact_id, one.reason));
    }
    page.close("Nothing is due.");
    page.heading("What stands out");
    let others: Vec<Insight> = found.insights.into_iter().filter(|one| one.kind != Kind::UrgentAttention).collect();
    page.insights(&others, 5);
    page.heading("Pipeline");
    pipeline(&mut page, tenant).await?;
    page.changes(tenant, now).await?;
    Ok(page.text)
}

/// All that is known of one contact. `contact` is an id or a name that only one contact has.
pub async fn prepare_for_a_call(tenant: &Tenant, now: DateTime<Utc>, contact: &str) -> Result<String> {
    let view = view_360(tenant, now, View360 { contact: contact.into() }).await?;
    let seen = view.contact.origin.as_of;
    let as_of = freshness(tenant, DEALS).await?.map_or(seen, |oldest| oldest.min(seen));
    let mut page = Page::new(&view.contact.name, Some(as_of), now);
    page.identity(&view);
    page.heading("Where we stand");
    page.item(format!("importance {} of 10: {}", view.importance.value, view.importance.formula));
    page.item(format!("relationship health {} of 100: {}", view.health.value, view.health.formula));
    page.heading("Open opportunities");
    for deal in &view.opportunities.open {
        let stage = deal.stage.as_ref().map(|stage| format!(", stage {stage}")).unwrap_or_default();
        let value = deal.value.map(|value| format!(", worth {value:.2}")).unwrap_or_default();
        page.item(format!("{}{stage}{value}", deal.name));
    }
    page.close("None.");
    page.heading("Last interactions");
    for talk in &view.interactions.last {
        let direction = talk.direction.as_deref().unwrap_or_default();
        page.item(format!(
            "{} ({}) {} {direction}: {}",
            talk.at.format("%Y-%m-%d"),
            talk.age,
            talk.kind,
            talk.text.as_deref().unwrap_or("no text")
        ));
    }
    page.close("None on record.");
    page.heading("What to do next");
    view.recommendations.iter().for_each(|one| page.item(format!("{}: {}", one.action, one.reason)));
    page.close("Nothing is due.");
    page.heading("Not known");
    view.not_connected
        .iter()
        .for_each(|one| page.item(format!("{}: {} (not in the brain)", one.system, one.would_tell)));
    Ok(page.text)
}

async fn pipeline(page: &mut Page, tenant: &Tenant) -> Result<()> {
    let sums = opportunities::aggregates(tenant, super::reference::HOME).await.map_err(unavailable)?;
    let mut statuses: Vec<(String, i64, f64)> = Vec::new();
    for sum in sums {
        let status = sum.status.unwrap_or_else(|| "without status".into());
        match statuses.iter_mut().find(|(name, _, _)| *name == status) {
            Some(found) => (found.1, found.2) = (found.1 + sum.opportunities, found.2 + sum.value),
            None => statuses.push((status, sum.opportunities, sum.value)),
        }
    }
    statuses.sort_by(|one, two| two.2.total_cmp(&one.2));
    for (status, count, value) in statuses {
        page.item(format!("{count} opportunities {status}, worth {value:.2}"));
    }
    page.close("No opportunities are in the brain.");
    Ok(())
}

/// A page that grows.
struct Page {
    text: String,
    /// Whether something stands under the last heading.
    filled: bool,
}

impl Page {
    fn new(title: &str, as_of: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Page {
        let age = match as_of {
            Some(at) => format!("Data of {} UTC ({}).", at.format("%Y-%m-%d %H:%M"), ago(now - at)),
            None => "Nothing has been synced yet; this page is empty for that reason.".into(),
        };
        Page { text: format!("# {}\n\n{age}\n", line(title)), filled: true }
    }

    fn heading(&mut self, title: &str) {
        self.text.push_str(&format!("\n## {title}\n\n"));
        self.filled = false;
    }

    fn item(&mut self, text: String) {
        self.text.push_str(&format!("- {}\n", line(&text)));
        self.filled = true;
    }

    /// Ends a list; an empty one says so.
    fn close(&mut self, empty: &str) {
        if !self.filled {
            self.text.push_str(&format!("{empty}\n"));
        }
    }

    fn contact(&mut self, contact: &Contact, why: &str) {
        let mut text = contact.name.clone();
        let company = contact.company.as_ref().filter(|company| **company != contact.name);
        for more in
            [company, contact.kind.as_ref(), contact.phone.as_ref(), contact.email.as_ref()].into_iter().flatten()
        {
            let _ = write!(text, ", {more}");
        }
        self.item(format!("{text} (id {}): {why}", contact.id));
    }

    async fn urgent(&mut self, tenant: &Tenant, now: DateTime<Utc>, limit: u32) -> Result<()> {
        let found = needs_follow_up(tenant, now, NeedsFollowUp { limit: Some(limit) }).await?;
        self.heading(&format!("Needs attention: {}", found.total));
        self.text.push_str(&format!("Rule: {}.\n\n", found.rule));
        found.contacts.iter().for_each(|one| self.contact(&one.contact, &one.reason));
        self.close("Nobody waits.");
        Ok(())
    }

    async fn changes(&mut self, tenant: &Tenant, now: DateTime<Utc>) -> Result<()> {
        let lists = [("Added last", rows::Order::Added), ("Active last", rows::Order::Active)];
        for (title, order) in lists {
            self.heading(title);
            let filter = rows::Filter { order, ..rows::Filter::default() };
            for row in rows::find(tenant, &filter, 10, None).await.map_err(unavailable)?.rows {
                let at = if order == rows::Order::Added { row.created_at } else { row.last_activity };
                let why = at.map_or("no date".into(), |at| ago(now - at));
                self.contact(&Contact::of(row, now), &why);
            }
            self.close("Nobody.");
        }
        Ok(())
    }

    fn insights(&mut self, all: &[Insight], named: usize) {
        for insight in all {
            let value = insight.value.map(|value| format!(", worth {value:.2}")).unwrap_or_default();
            let groups: Vec<String> =
                insight.groups.iter().map(|group| format!("{} {}", group.name, group.count)).collect();
            let groups = if groups.is_empty() { String::new() } else { format!(": {}", groups.join(", ")) };
            self.item(format!("**{}** ({}{value}){groups}. Rule: {}", insight.title, insight.count, insight.reason));
            for row in insight.contacts.iter().take(named) {
                self.text.push_str(&format!("  - {} (id {}): {}\n", line(&row.name), line(&row.id), line(&row.why)));
            }
        }
        self.close("Nothing.");
    }

    fn identity(&mut self, view: &View) {
        let who = &view.contact;
        self.heading("Who");
        let facts = [
            ("company", &who.company),
            ("type", &who.kind),
            ("e-mail", &who.email),
            ("phone", &who.phone),
            ("came from", &who.lead_source),
            ("notes on the person", &view.context.known.personal_notes),
            ("notes on the company", &view.context.known.company_info),
            ("notes on the relationship", &view.context.known.relationship_notes),
        ];
        self.item(format!("id {}", who.id));
        for (name, fact) in facts {
            if let Some(fact) = fact {
                self.item(format!("{name}: {fact}"));
            }
        }
        if !who.tags.is_empty() {
            self.item(format!("tags: {}", who.tags.join(", ")));
        }
    }
}

/// Somebody else's text on one line, so that it cannot look like a heading or an item of ours.
fn line(text: &str) -> String {
    sdk::text::cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), 500)
}
