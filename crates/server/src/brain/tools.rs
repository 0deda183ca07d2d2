//! The brain's tools, each a line.

use schemars::JsonSchema;
use sdk::{Error, Result, Tool};
use serde::{Deserialize, Serialize};

use super::contacts::{self, FollowUps, Found, NeedsFollowUp, Search};
use super::linking::{self, Link, Links};
use super::memory::{self, RecordOutcome, RecordedOutcome, SaveContext, SavedContext};
use super::pages;
use super::report::{self, GetInsights, GetRecommendations, Insights, Recommendations};
use super::stats::{self, Copies, GetSyncStats, SyncStats, SyncStatus};
use super::view::{self, Analysis, AnalyzeContact, View, View360};
use crate::calls::Scope;

/// The streams that say who a contact is, and how long it waits: mails are talks too.
pub(super) const TALKS: &[&str] = &["contacts", "interactions", "messages"];
/// The streams that insights and recommendations are made of.
pub(super) const DEALS: &[&str] = &["contacts", "interactions", "messages", "opportunities"];
/// The streams that one customer is seen by.
const CUSTOMER: &[&str] =
    &["contacts", "interactions", "messages", "opportunities", "customers", "invoices", "orders", "documents"];

/// Every tool that answers from the brain, with the ecosystem that it belongs to.
pub fn tools() -> Vec<(&'static str, Tool<Scope>)> {
    vec![
        ("contacts", Tool::read("search", search)),
        ("contacts", Tool::read("view_360", view_360).by_strangers().from_copies(CUSTOMER)),
        ("contacts", Tool::read("needs_follow_up", needs_follow_up).from_copies(TALKS)),
        ("contacts", Tool::read("page", page).by_strangers().from_copies(DEALS)),
        ("contacts", Tool::internal("save_context", save_context)),
        ("contacts", Tool::internal("record_outcome", record_outcome)),
        ("contacts", Tool::internal("link", link).idempotent()),
        ("system", Tool::read("sync_status", sync_status)),
        ("gohighlevel", Tool::read("get_sync_stats", get_sync_stats).from_copies(&stats::STREAMS)),
        ("gohighlevel", Tool::read("get_insights", get_insights).from_copies(DEALS)),
        ("gohighlevel", Tool::read("analyze_contact", analyze_contact).by_strangers().from_copies(DEALS)),
        ("gohighlevel", Tool::read("get_recommendations", get_recommendations).from_copies(DEALS)),
    ]
}

/// One page of the business in Markdown: dashboard, urgent_today, recent_changes, daily_briefing, or
/// prepare_for_a_call with a contact. It is what MCP resources and prompts show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetPage {
    /// Which page.
    page: PageName,
    /// Whom the call is with: a name, a nickname, an id, or "NAME from COMPANY".
    #[schemars(length(min = 1, max = 200))]
    contact: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PageName {
    Dashboard,
    UrgentToday,
    RecentChanges,
    DailyBriefing,
    PrepareForACall,
}

#[derive(Serialize, JsonSchema)]
struct PageText {
    text: String,
}

async fn page(scope: &Scope, args: GetPage) -> Result<PageText> {
    let (tenant, now) = (&scope.tenant, scope.now);
    let text = match args.page {
        PageName::Dashboard => pages::dashboard(tenant, now).await?,
        PageName::UrgentToday => pages::urgent_today(tenant, now).await?,
        PageName::RecentChanges => pages::recent_changes(tenant, now).await?,
        PageName::DailyBriefing => pages::daily_briefing(tenant, now).await?,
        PageName::PrepareForACall => {
            let contact = args.contact.ok_or_else(|| Error::invalid_input("contact: say whom the call is with"))?;
            pages::prepare_for_a_call(tenant, now, &contact).await?
        }
    };
    Ok(PageText { text })
}

async fn search(scope: &Scope, args: Search) -> Result<Found> {
    contacts::search(&scope.tenant, scope.now, args).await
}

async fn link(scope: &Scope, args: Link) -> Result<Links> {
    linking::link(&scope.tenant, scope.now, &scope.actor.name, args).await
}

async fn view_360(scope: &Scope, args: View360) -> Result<View> {
    view::view_360(&scope.tenant, scope.now, args).await
}

async fn needs_follow_up(scope: &Scope, args: NeedsFollowUp) -> Result<FollowUps> {
    contacts::needs_follow_up(&scope.tenant, scope.now, args).await
}

async fn save_context(scope: &Scope, args: SaveContext) -> Result<SavedContext> {
    memory::save_context(&scope.tenant, scope.now, args).await
}

async fn record_outcome(scope: &Scope, args: RecordOutcome) -> Result<RecordedOutcome> {
    memory::record_outcome(&scope.tenant, scope.now, args).await
}

async fn sync_status(scope: &Scope, args: SyncStatus) -> Result<Copies> {
    stats::sync_status(&scope.tenant, args).await
}

async fn get_sync_stats(scope: &Scope, _: GetSyncStats) -> Result<SyncStats> {
    stats::sync_stats(&scope.tenant, scope.now).await
}

async fn get_insights(scope: &Scope, _: GetInsights) -> Result<Insights> {
    report::insights(&scope.tenant, scope.now).await
}

async fn analyze_contact(scope: &Scope, args: AnalyzeContact) -> Result<Analysis> {
    view::analyze(&scope.tenant, scope.now, args).await
}

async fn get_recommendations(scope: &Scope, args: GetRecommendations) -> Result<Recommendations> {
    report::recommendations(&scope.tenant, scope.now, args).await
}
