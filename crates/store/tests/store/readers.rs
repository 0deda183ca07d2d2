//! What people type into psql or sqlite3 works as it is written.

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::json;
use store::audit::Writer;
use store::chain::{Canonical, Execution, Record};
use store::testing::both;
use store::{Backend, contacts};
use uuid::Uuid;

use crate::{contact, now};

#[tokio::test]
async fn the_queries_of_the_manual_work() -> anyhow::Result<()> {
    for test in both().await {
        let tenant = test.store.tenant("main");
        let page = [contact("1", "Ann", "Acme"), contact("2", "Bob", "Acme"), contact("3", "Cy", "Cog")];
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        let mut writer = Writer::open(&test.store, now()).await?;
        let execution = Execution {
            id: Uuid::now_v7(),
            tenant_id: "main".into(),
            timestamp: now(),
            tool_name: "crm.x".into(),
            params: Canonical::from(&json!({})),
            response: None,
            duration_ms: 1,
            status: "success".into(),
            error_message: None,
            source: None,
            user_context: Canonical::from(&json!({})),
            effect: "read".into(),
            approval_id: None,
        };
        writer.append(vec![Record::Execution(execution)], now()).await?;

        let admin = Database::connect(&test.url).await?;
        let backend = match test.store.backend() {
            Backend::Sqlite => DbBackend::Sqlite,
            Backend::Postgres => DbBackend::Postgres,
        };
        let query = |sql: &str| admin.query_all_raw(Statement::from_string(backend, sql));
        assert_eq!(query("SELECT * FROM tool_executions ORDER BY timestamp DESC LIMIT 10").await?.len(), 1);
        assert_eq!(query("SELECT MAX(last_synced) FROM contacts").await?.len(), 1);
        assert_eq!(query("SELECT data->>'companyName', COUNT(*) FROM contacts GROUP BY 1").await?.len(), 2);
        admin.close().await?;
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn postgres_has_real_types() -> anyhow::Result<()> {
    let Some(test) = store::testing::TestStore::postgres().await? else { return Ok(()) };
    let admin = Database::connect(&test.url).await?;
    let sql = "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public' \
               AND table_name <> 'seaql_migrations' ORDER BY 1";
    let rows = admin.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let types: Vec<String> = rows.iter().map(|row| row.try_get("", "data_type")).collect::<Result<_, _>>()?;
    let expected = [
        "bigint",
        "boolean",
        "bytea",
        "date",
        "double precision",
        "integer",
        "jsonb",
        "smallint",
        "text",
        "timestamp with time zone",
        "uuid",
    ];
    assert_eq!(types, expected);
    let sql = "SELECT table_name FROM information_schema.tables t WHERE table_schema = 'public' \
               AND table_name NOT IN ('seaql_migrations', 'audit_writers', 'rate_buckets', 'rate_places', 'oauth_clients') \
               AND NOT EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_name = t.table_name AND column_name = 'tenant_id' \
               AND is_nullable = 'NO')";
    let rows = admin.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let without: Vec<String> = rows.iter().map(|row| row.try_get("", "table_name")).collect::<Result<_, _>>()?;
    assert_eq!(without, Vec::<String>::new(), "tables without a tenant");
    admin.close().await?;
    Ok(test.remove().await?)
}
