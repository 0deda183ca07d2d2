//! The brain's tools, each a line.

use sdk::{Result, Tool};

use super::contacts::{self, FollowUps, Found, NeedsFollowUp, Search};
use super::memory::{self, RecordOutcome, RecordedOutcome, SaveContext, SavedContext};
use super::report::{self, GetInsights, GetRecommendations, Insights, Recommendations};
use super::stats::{self, GetSyncStats, SyncStats};
use super::view::{self, Analysis, AnalyzeContact, View, View360};
use crate::calls::Scope;

/// Every tool that answers from the brain, with the ecosystem that it belongs to.
pub fn tools() -> Vec<(&'static str, Tool<Scope>)> {
    vec![
        ("contacts", Tool::read("search", search)),
        ("contacts", Tool::read("view_360", view_360)),
        ("contacts", Tool::read("needs_follow_up", needs_follow_up)),
        ("contacts", Tool::internal("save_context", save_context)),
        ("contacts", Tool::internal("record_outcome", record_outcome)),
        ("gohighlevel", Tool::read("get_sync_stats", get_sync_stats)),
        ("gohighlevel", Tool::read("get_insights", get_insights)),
        ("gohighlevel", Tool::read("analyze_contact", analyze_contact)),
        ("gohighlevel", Tool::read("get_recommendations", get_recommendations)),
    ]
}

async fn search(scope: &Scope, args: Search) -> Result<Found> {
    contacts::search(&scope.tenant, scope.now, args).await
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
