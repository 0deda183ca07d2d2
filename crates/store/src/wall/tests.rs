use anyhow::{Context, Result};
use sea_orm::ConnectionTrait;
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::policy_rules::NewRule;
use crate::testing::TestStore;
use crate::{OpenOptions, Tenant, policy_rules, tenants};

fn options(wall: Wall) -> OpenOptions {
    OpenOptions { wall, pool_size: 3, exclusive: false, ..OpenOptions::default() }
}

async fn store(wall: Wall) -> Result<Option<TestStore>> {
    let Some(test) = TestStore::postgres_with(options(wall)).await? else { return Ok(None) };
    for tenant in ["ours", "theirs"] {
        add_rule(&test.store.tenant(tenant)).await?;
    }
    Ok(Some(test))
}

async fn add_rule(tenant: &Tenant) -> Result<()> {
    let now = chrono::DateTime::from_timestamp(1_790_000_000, 0).context("a time")?;
    let rule = serde_json::json!({"canary": tenant.id()});
    let new = NewRule { name: "rule".into(), rule, position: None, enabled: true, by: "test".into() };
    Ok(policy_rules::put(tenant, new, now).await?)
}

/// A session of the database's superuser that has become who the server is.
async fn session(test: &TestStore) -> Result<PgConnection> {
    let mut connection = PgConnection::connect_with(&test.url.parse::<PgConnectOptions>()?).await?;
    connection.execute(AssertSqlSafe(format!("SET ROLE {ROLE}"))).await?;
    Ok(connection)
}

async fn count(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM policy_rules").fetch_one(connection).await?)
}

/// What a query sees that forgot its condition.
async fn forgetful(tenant: &Tenant) -> Result<Vec<String>> {
    let rows = tenant.read().query_all_raw(tenant.sql("SELECT tenant_id FROM policy_rules").statement()).await?;
    Ok(rows.iter().map(|row| row.try_get("", "tenant_id")).collect::<Result<_, sea_orm::DbErr>>()?)
}

#[tokio::test]
async fn every_table_of_a_tenant_is_walled() -> Result<()> {
    let Some(test) = store(Wall::On).await? else { return Ok(()) };
    let mut connection = PgConnection::connect_with(&test.url.parse::<PgConnectOptions>()?).await?;
    let tables = tables(&mut connection).await?;
    assert!(tables.len() > 40, "{}", tables.len());
    let open: Vec<&str> = tables.iter().filter(|table| !table.walled).map(|table| table.name.as_str()).collect();
    // A table that belongs here holds nothing of a tenant's business.
    assert_eq!(open, ["audit_writers", "oauth_clients", "rate_buckets", "rate_places", "seaql_migrations"]);
    Ok(test.remove().await?)
}

#[tokio::test]
async fn nobody_named_is_nothing_found() -> Result<()> {
    let Some(test) = store(Wall::On).await? else { return Ok(()) };
    let mut session = session(&test).await?;
    assert_eq!(count(&mut session).await?, 0);
    session.execute("SET emcp.tenant = 'ours'").await?;
    assert_eq!(count(&mut session).await?, 1);
    session.execute("SET emcp.tenant = 'nobody'").await?;
    assert_eq!(count(&mut session).await?, 0);
    session.execute(FOR_EVERYBODY).await?;
    assert_eq!(count(&mut session).await?, 2);
    Ok(test.remove().await?)
}

#[tokio::test]
async fn a_query_without_its_condition_finds_its_own_rows_only() -> Result<()> {
    let Some(test) = store(Wall::On).await? else { return Ok(()) };
    let ours = test.store.tenant("ours");
    assert_eq!(forgetful(&ours).await?, ["ours"]);
    assert_eq!(forgetful(&test.store.tenant("nobody")).await?, Vec::<String>::new());

    let wrong = |sql: &str| ours.sql(sql).statement();
    assert_eq!(
        ours.write().execute_raw(wrong("DELETE FROM policy_rules WHERE tenant_id = 'theirs'")).await?.rows_affected(),
        0
    );
    assert_eq!(ours.write().execute_raw(wrong("UPDATE policy_rules SET enabled = false")).await?.rows_affected(), 1);
    let tx = ours.begin().await?;
    assert_eq!(tx.rows(ours.sql("SELECT tenant_id FROM policy_rules")).await?.len(), 1);
    tx.rollback().await?;
    for forged in [
        "UPDATE policy_rules SET tenant_id = 'theirs'",
        "INSERT INTO tenants (tenant_id, name, created_at) VALUES ('theirs', 'x', now())",
    ] {
        let error = ours.write().execute_raw(wrong(forged)).await.expect_err(forged).to_string();
        assert!(error.contains("row-level security"), "{error}");
    }
    // Nothing is written through the way that reads.
    assert!(ours.read().execute_raw(wrong("DELETE FROM policy_rules")).await.is_err());
    let system = test.store.system();
    assert_eq!(system.read().query_all_raw(system.sql("SELECT 1 FROM policy_rules").statement()).await?.len(), 2);
    Ok(test.remove().await?)
}

/// What was said for one statement does not stay with the connection.
#[tokio::test]
async fn connections_forget_for_whom_they_were() -> Result<()> {
    let Some(test) = store(Wall::On).await? else { return Ok(()) };
    for _ in 0..10 {
        assert_eq!(forgetful(&test.store.tenant("ours")).await?.len(), 1);
        let raw =
            test.store.shared().query_all_raw(test.store.tenant("x").sql("SELECT 1 FROM policy_rules").statement());
        assert_eq!(raw.await?.len(), 0);
    }
    Ok(test.remove().await?)
}

#[tokio::test]
async fn without_a_wall_queries_by_hand_see_all() -> Result<()> {
    let Some(test) = store(Wall::On).await? else { return Ok(()) };
    let off = Store::open(&test.url, options(Wall::Off)).await?;
    assert!(!stands(&off));
    assert_eq!(count(&mut session(&test).await?).await?, 2);
    assert_eq!(forgetful(&off.tenant("ours")).await?.len(), 2);
    // Who still has it up works on.
    assert_eq!(policy_rules::list(&test.store.tenant("ours")).await?.len(), 1);
    off.close().await?;
    Ok(test.remove().await?)
}

#[tokio::test]
async fn a_second_tenant_raises_it_under_a_running_server() -> Result<()> {
    let Some(test) = store(Wall::Auto).await? else { return Ok(()) };
    let (system, now) = (test.store.system(), chrono::DateTime::from_timestamp(1_790_000_000, 0).context("a time")?);
    assert!(tenants::add(&system, "ours", "Ours", now).await?);
    assert!(!follow(&test.store).await? && !stands(&test.store));
    let replica = Store::open(&test.url, options(Wall::Auto)).await?;
    assert!(tenants::add(&system, "theirs", "Theirs", now).await?);
    assert!(follow(&test.store).await? && stands(&test.store));
    // The other has not noticed, and misses nothing.
    assert!(!stands(&replica));
    for store in [&test.store, &replica] {
        assert_eq!(policy_rules::list(&store.tenant("ours")).await?.len(), 1);
        add_rule(&store.tenant("theirs")).await?;
    }
    assert!(follow(&replica).await?);
    replica.close().await?;
    // Who opens it now has no connection from before.
    let late = Store::open(&test.url, options(Wall::Auto)).await?;
    assert!(stands(&late));
    assert_eq!(forgetful(&late.tenant("theirs")).await?, ["theirs"]);
    late.close().await?;
    Ok(test.remove().await?)
}

/// The usual case in production: the user owns the tables and is nothing more.
#[tokio::test]
async fn an_owner_without_rights_stays_itself() -> Result<()> {
    let Some(test) = TestStore::postgres().await? else { return Ok(()) };
    let user = format!("owner_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect_with(&test.url.parse::<PgConnectOptions>()?).await?;
    for sql in [format!("CREATE ROLE {user} LOGIN PASSWORD 'x'"), format!("CREATE DATABASE {user} OWNER {user}")] {
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    let mut url = url::Url::parse(&test.url)?;
    url.set_username(&user).ok().context("a user")?;
    url.set_password(Some("x")).ok().context("a password")?;
    url.set_path(&user);
    let store = Store::open(url.as_str(), options(Wall::On)).await?;
    for tenant in ["ours", "theirs"] {
        add_rule(&store.tenant(tenant)).await?;
    }
    assert_eq!(forgetful(&store.tenant("ours")).await?, ["ours"]);
    let ours = store.tenant("ours");
    let row = ours.read().query_one_raw(ours.sql("SELECT current_user::text AS me").statement()).await?;
    assert_eq!(row.context("a row")?.try_get::<String>("", "me")?, user);
    store.close().await?;
    for sql in [format!("DROP DATABASE {user} WITH (FORCE)"), format!("DROP ROLE {user}")] {
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    connection.close().await?;
    Ok(test.remove().await?)
}
