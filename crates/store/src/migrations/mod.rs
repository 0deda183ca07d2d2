//! The schema's history, oldest first. A migration is an SQL file whose types are written as placeholders, because the
//! two back ends differ in the names of types and in nothing else.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all: Vec<Box<dyn MigrationTrait>> = vec![
            same("m0001_contacts", include_str!("contacts.sql")),
            Box::new(Migration {
                name: "m0002_contacts_search",
                sqlite: include_str!("contacts_search.sqlite.sql").to_owned(),
                postgres: include_str!("contacts_search.postgres.sql").to_owned(),
            }),
            same("m0003_contact_context", include_str!("contact_context.sql")),
            same("m0004_interaction_history", include_str!("interaction_history.sql")),
            same("m0005_opportunities", include_str!("opportunities.sql")),
            same("m0006_tool_executions", include_str!("tool_executions.sql")),
            same("m0007_audit_events", include_str!("audit_events.sql")),
            same("m0008_api_calls", include_str!("api_calls.sql")),
            same("m0009_audit_writers", include_str!("audit_writers.sql")),
            same("m0010_approvals", include_str!("approvals.sql")),
            same("m0011_api_keys", include_str!("api_keys.sql")),
            same("m0012_runs", include_str!("runs.sql")),
            same("m0013_run_steps", include_str!("run_steps.sql")),
            same("m0014_run_signals", include_str!("run_signals.sql")),
            same("m0015_schedules", include_str!("schedules.sql")),
            same("m0016_sync_runs", include_str!("sync_runs.sql")),
            same("m0017_sync_cursors", include_str!("sync_cursors.sql")),
            same("m0018_agent_decisions", include_str!("agent_decisions.sql")),
            same("m0019_oauth_tokens", include_str!("oauth_tokens.sql")),
            same("m0020_api_cache", include_str!("api_cache.sql")),
            same("m0021_workflows", include_str!("workflows.sql")),
            same("m0022_workflow_runs", include_str!("workflow_runs.sql")),
            same("m0023_recommendation_outcomes", include_str!("recommendation_outcomes.sql")),
            same("m0024_rate_buckets", include_str!("rate_buckets.sql")),
        ];
        all.extend(VENDOR_TABLES.map(vendor_table));
        all.push(same("m0032_connections", include_str!("connections.sql")));
        all.push(same("m0033_typed_rows", &typed_rows()));
        all.push(same("m0034_vault", include_str!("vault.sql")));
        all.push(same("m0035_approvals_once", include_str!("approvals_once.sql")));
        all.push(same("m0036_links", include_str!("links.sql")));
        all.push(Box::new(Migration {
            name: "m0037_contacts_search_waiting",
            sqlite: "SELECT 1".to_owned(),
            postgres: include_str!("contacts_search_waiting.sql").to_owned(),
        }));
        all.push(same("m0040_webhook_events", include_str!("webhook_events.sql")));
        all.push(same("m0041_webhook_subscriptions", include_str!("webhook_subscriptions.sql")));
        all.push(same("m0060_expiries", include_str!("expiries.sql")));
        all.push(same("m0070_rate_places", include_str!("rate_places.sql")));
        all.push(same("m0071_sync_bookmarks", include_str!("sync_bookmarks.sql")));
        all.push(same("m0080_policy_rules", include_str!("policy_rules.sql")));
        all.push(same("m0081_approval_votes", include_str!("approval_votes.sql")));
        all.push(same("m0082_people", include_str!("people.sql")));
        all.push(same("m0090_oauth", include_str!("oauth.sql")));
        all.push(same("m0091_key_toolsets", include_str!("key_toolsets.sql")));
        all.push(Box::new(Migration {
            // What destroys has a scope of its own since; the keys that there are may do what they could.
            name: "m0092_key_destroy",
            sqlite:
                "UPDATE api_keys SET scopes = json_insert(scopes, '$[#]', 'destroy') WHERE scopes LIKE '%\"write\"%'"
                    .to_owned(),
            postgres:
                "UPDATE api_keys SET scopes = scopes || '[\"destroy\"]'::jsonb WHERE scopes @> '[\"write\"]'::jsonb"
                    .to_owned(),
        }));
        all.push(same("m0100_tenants", include_str!("tenants.sql")));
        all.push(same("m0101_budgets", include_str!("budgets.sql")));
        all.push(same("m0110_messages", &with_whole_rows(include_str!("messages.sql"))));
        all.push(same("m0111_approval_plans", include_str!("approval_plans.sql")));
        all.push(same("m0112_exposures", include_str!("exposures.sql")));
        all.push(same("m0113_decisions", include_str!("decisions.sql")));
        all.push(same("m0114_audit_retention", include_str!("audit_retention.sql")));
        all.push(same("m0120_password_guesses", include_str!("password_guesses.sql")));
        all.push(same("m0121_sync_runs_oldest", include_str!("sync_runs_oldest.sql")));
        all
    }
}

/// Tables that held a vendor's rows as they came; `m0033_typed_rows` makes them anew with columns.
const VENDOR_TABLES: [(&str, &str); 7] = [
    ("m0025_invoices", "invoices"),
    ("m0026_payments", "payments"),
    ("m0027_orders", "orders"),
    ("m0028_inventory", "inventory"),
    ("m0029_documents", "documents"),
    ("m0030_domains", "domains"),
    ("m0031_dns_records", "dns_records"),
];

/// The names of all migrations that this version knows, oldest first.
pub(crate) fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

struct Migration {
    name: &'static str,
    sqlite: String,
    postgres: String,
}

fn same(name: &'static str, sql: &str) -> Box<dyn MigrationTrait> {
    Box::new(Migration { name, sqlite: sql.to_owned(), postgres: sql.to_owned() })
}

fn vendor_table((name, table): (&'static str, &str)) -> Box<dyn MigrationTrait> {
    same(name, &include_str!("vendor_rows.sql").replace("{table}", table))
}

fn typed_rows() -> String {
    with_whole_rows(include_str!("typed_rows.sql"))
}

/// What every table of `vendor_rows` begins and ends with, around the columns of its own.
fn with_whole_rows(sql: &str) -> String {
    sql.replace(
        "{as_it_came}",
        "id {id}, tenant_id TEXT NOT NULL, ecosystem TEXT NOT NULL, vendor_id TEXT NOT NULL, data {json} NOT NULL",
    )
    .replace(
        "{as_it_was_seen}",
        "data_hash {bytes} NOT NULL, last_synced {ts} NOT NULL, expires_at {ts}, deleted_at {ts}, seen_run {uuid}, \
             UNIQUE (tenant_id, ecosystem, vendor_id)",
    )
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => with_types(&self.postgres, &POSTGRES_TYPES),
            _ => with_types(&self.sqlite, &SQLITE_TYPES),
        };
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    /// A migration and its entry in the list of migrations are committed together on both back ends.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const POSTGRES_TYPES: [(&str, &str); 9] = [
    ("{id}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    ("{key}", "BIGINT"),
    ("{uuid}", "UUID"),
    ("{ts}", "TIMESTAMPTZ"),
    ("{date}", "DATE"),
    ("{json}", "JSONB"),
    ("{bytes}", "BYTEA"),
    ("{float}", "DOUBLE PRECISION"),
    ("{desc}", "DESC NULLS LAST"),
];

/// SQLite sorts NULL below everything and refuses NULLS LAST in an index, so plain DESC is the same order there.
const SQLITE_TYPES: [(&str, &str); 9] = [
    ("{id}", "INTEGER PRIMARY KEY"),
    // INTEGER, and no other word, makes the key the row's own number.
    ("{key}", "INTEGER"),
    ("{uuid}", "BLOB"),
    ("{ts}", "TEXT"),
    ("{date}", "TEXT"),
    ("{json}", "TEXT"),
    ("{bytes}", "BLOB"),
    ("{float}", "REAL"),
    ("{desc}", "DESC"),
];

fn with_types(sql: &str, types: &[(&str, &str)]) -> String {
    types.iter().fold(sql.to_owned(), |sql, (placeholder, name)| sql.replace(placeholder, name))
}
