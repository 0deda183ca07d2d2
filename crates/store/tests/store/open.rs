use std::time::Duration;

use anyhow::Result;
use sea_orm::{ConnectionTrait, Database};
use store::testing::{TestStore, both, on_both};
use store::{OpenOptions, Store, StoreError};

async fn refused(url: &str) -> String {
    refused_with(url, OpenOptions::default()).await.to_string()
}

async fn refused_with(url: &str, options: OpenOptions) -> StoreError {
    match Store::open(url, options).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn migrations_run_once_and_again() {
    on_both(|store| async move {
        assert!(store.pending_migrations().await?.is_empty());
        store.migrate().await?;
        store.ping().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_store_opens_again_with_what_was_in_it() -> Result<()> {
    let test = TestStore::sqlite().await?;
    let tenant = test.store.tenant("main");
    store::contacts::upsert_batch(
        &tenant,
        "crm",
        uuid::Uuid::new_v4(),
        &[crate::contact("1", "Ann", "Acme")],
        crate::now(),
    )
    .await?;
    test.store.close().await?;
    drop(tenant);
    let again = Store::open(&test.url, OpenOptions { migrate: false, ..Default::default() }).await?;
    assert_eq!(store::contacts::count(&again.tenant("main"), &Default::default()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once() -> Result<()> {
    let Some(test) = TestStore::postgres().await? else { return Ok(()) };
    let admin = Database::connect(&test.url).await?;
    admin.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await?;
    let options = || OpenOptions { pool_size: 2, ..Default::default() };
    let (a, b, c) = tokio::join!(
        Store::open(&test.url, options()),
        Store::open(&test.url, options()),
        Store::open(&test.url, options())
    );
    for store in [a?, b?, c?] {
        assert!(store.pending_migrations().await?.is_empty());
        store.close().await?;
    }
    admin.close().await?;
    Ok(test.remove().await?)
}

#[tokio::test]
async fn a_newer_database_is_refused() -> Result<()> {
    for test in both().await {
        let admin = Database::connect(&test.url).await?;
        admin
            .execute_unprepared("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)")
            .await?;
        admin.close().await?;
        let options = OpenOptions { exclusive: false, ..Default::default() };
        let error = refused_with(&test.url, options).await;
        assert!(matches!(&error, StoreError::Newer { unknown, .. } if unknown == "m9999_later"), "{error}");
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_older_database_is_refused_unless_it_may_be_migrated() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("deep/er/store.db").display());
    let error = refused_with(&url, OpenOptions { migrate: false, ..Default::default() }).await;
    assert!(matches!(error, StoreError::Older { count, .. } if count > 20), "{error}");
    Store::open(&url, OpenOptions::default()).await?.close().await?;
    Store::open(&url, OpenOptions { migrate: false, ..Default::default() }).await?;
    Ok(())
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_refused() -> Result<()> {
    let test = TestStore::sqlite().await?;
    let error = refused_with(&test.url, OpenOptions::default()).await;
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("store.db") && message.contains("Stop that one"), "{message}");

    let reader = Store::open(&test.url, OpenOptions { exclusive: false, ..Default::default() }).await?;
    reader.ping().await?;
    reader.close().await?;
    test.store.close().await?;
    // Clones of the handle hold the lock; with the last one it is free.
    Store::open(&test.url, OpenOptions::default()).await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "These are my notes and no database at all.\n".repeat(200))?;
    let message = refused(&format!("sqlite://{}", text.display())).await;
    assert!(message.contains("notes.txt") && message.contains("not a SQLite database"), "{message}");

    let message = refused(&format!("sqlite://{}", folder.path().display())).await;
    assert!(message.contains(&folder.path().display().to_string()), "{message}");

    let message = refused(&format!("sqlite://{}/inside/store.db", text.display())).await;
    assert!(message.contains("notes.txt"), "{message}");

    let message = refused("mysql://root:secret@localhost/x").await;
    assert!(message.contains("postgres://") && !message.contains("secret"), "{message}");

    let options = OpenOptions { acquire_timeout: Duration::from_secs(2), ..Default::default() };
    let message = refused_with("postgres://me:secret@127.0.0.1:1/x", options).await.to_string();
    assert!(message.contains("127.0.0.1:1") && !message.contains("secret"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_missing_postgres_database_is_named() -> Result<()> {
    let Some(test) = TestStore::postgres().await? else { return Ok(()) };
    let message = refused(&format!("{}_not", test.url)).await;
    assert!(message.contains("createdb"), "{message}");
    Ok(test.remove().await?)
}

#[tokio::test]
async fn sqlite_is_as_durable_and_as_careful_as_promised() -> Result<()> {
    let test = TestStore::sqlite().await?;
    let admin = Database::connect(&test.url).await?;
    let row = admin
        .query_one_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA journal_mode"))
        .await?
        .unwrap();
    assert_eq!(row.try_get::<String>("", "journal_mode")?, "wal");
    admin.close().await?;
    Ok(test.remove().await?)
}
