//! PostgreSQL goes away in the middle of an audit commit: what was appended is there once, and the chains are whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use store::audit::Writer;
use store::testing::{TestStore, kill_audit_connections};
use store::{OpenOptions, Store, chain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::audit::records;
use crate::now;

/// What the line between us and the database does next. All but `AWAY` happen once.
const PASS: u8 = 0;
/// Cut before the next request arrives.
const LOSE_REQUEST: u8 = 1;
/// Cut when the next answer comes: the request was carried out.
const LOSE_ANSWER: u8 = 2;
/// Keep the next answer, and the line open.
const HOLD_ANSWER: u8 = 3;
/// Like `LOSE_ANSWER`, then `AWAY`.
const LOSE_ANSWER_AND_LEAVE: u8 = 4;
/// Like `LOSE_REQUEST`, then `AWAY`.
const LOSE_REQUEST_AND_LEAVE: u8 = 5;
/// Nobody is let in.
const AWAY: u8 = 6;

/// A line to a test database that can be cut.
struct Line {
    test: TestStore,
    store: Store,
    mode: Arc<AtomicU8>,
}

impl Line {
    async fn start() -> Result<Option<Line>> {
        let Some(test) = TestStore::postgres().await? else { return Ok(None) };
        let (place, rest) = test.url.split_once('@').context("an address with a user")?;
        let (server, database) = rest.split_once('/').context("an address with a database")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{place}@{}/{database}", listener.local_addr()?);
        let mode = Arc::new(AtomicU8::new(PASS));
        tokio::spawn(accept(listener, server.to_owned(), mode.clone()));
        let store = Store::open(&url, OpenOptions { pool_size: 2, ..Default::default() }).await?;
        Ok(Some(Line { test, store, mode }))
    }

    fn next(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    /// A writer whose statements are prepared, so that a commit is one request and one answer.
    async fn writer(&self) -> Result<Writer> {
        let mut writer = Writer::open(&self.store, now()).await?;
        writer.append(records(2), now()).await?;
        Ok(writer)
    }

    /// How many chains and records there are; all must be sound.
    async fn found(&self) -> Result<(u64, u64)> {
        let report = chain::verify(&self.test.store.system()).await?;
        assert!(report.is_sound(), "{report:?}");
        Ok((report.writers, report.records))
    }

    async fn end(self) -> Result<()> {
        self.store.close().await?;
        Ok(self.test.remove().await?)
    }
}

async fn accept(listener: TcpListener, server: String, mode: Arc<AtomicU8>) {
    while let Ok((client, _)) = listener.accept().await {
        if mode.load(Ordering::SeqCst) != AWAY {
            tokio::spawn(carry(client, server.clone(), mode.clone()));
        }
    }
}

async fn carry(mut client: TcpStream, server: String, mode: Arc<AtomicU8>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            count = client.read(&mut request) => {
                let count = count?;
                if count == 0 || mode.compare_exchange(LOSE_REQUEST, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                    || mode.compare_exchange(LOSE_REQUEST_AND_LEAVE, AWAY, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                {
                    return Ok(());
                }
                server.write_all(&request[..count]).await?;
            }
            count = server.read(&mut answer) => {
                let count = count?;
                if count == 0 || mode.compare_exchange(LOSE_ANSWER, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                    || mode.compare_exchange(LOSE_ANSWER_AND_LEAVE, AWAY, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                {
                    return Ok(());
                }
                if mode.compare_exchange(HOLD_ANSWER, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    while client.read(&mut request).await? > 0 {}
                    return Ok(());
                }
                client.write_all(&answer[..count]).await?;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts() -> Result<()> {
    let Some(line) = Line::start().await? else { return Ok(()) };
    let mut writer = line.writer().await?;
    line.next(LOSE_ANSWER);
    writer.append(records(2), now()).await?;
    assert_eq!(line.mode.load(Ordering::SeqCst), PASS, "the answer was lost");
    writer.append(records(2), now()).await?;
    assert_eq!(line.found().await?, (1, 18), "the chain goes on");
    line.end().await
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_again() -> Result<()> {
    let Some(line) = Line::start().await? else { return Ok(()) };
    let mut writer = line.writer().await?;
    line.next(LOSE_REQUEST);
    writer.append(records(2), now()).await?;
    assert_eq!(line.found().await?, (2, 12), "the old chain is whole without it");
    line.end().await
}

#[tokio::test]
async fn a_commit_that_hangs_is_given_up_and_looked_for() -> Result<()> {
    let Some(line) = Line::start().await? else { return Ok(()) };
    let mut writer = line.writer().await?;
    line.next(HOLD_ANSWER);
    // Far longer than the writer waits, and short of for ever.
    tokio::time::timeout(Duration::from_secs(60), writer.append(records(2), now())).await??;
    assert_eq!(line.found().await?, (1, 12));
    line.end().await
}

#[tokio::test]
async fn what_stays_in_doubt_is_settled_when_the_database_is_back() -> Result<()> {
    for (loss, chains) in [(LOSE_ANSWER_AND_LEAVE, 1), (LOSE_REQUEST_AND_LEAVE, 2)] {
        let Some(line) = Line::start().await? else { return Ok(()) };
        let mut writer = line.writer().await?;
        let all = records(2);
        line.next(loss);
        assert!(writer.append(all.clone(), now()).await.is_err(), "nobody can know");
        assert!(writer.append_again(all.clone(), now()).await.is_err(), "the database is still away");
        line.next(PASS);
        writer.append_again(all.clone(), now()).await?;
        assert_eq!(line.found().await?, (chains, 12), "{loss}");
        writer.append(records(1), now()).await?;
        assert_eq!(line.found().await?.1, 15);
        line.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_killed_connections_lose_nothing_and_double_nothing() -> Result<()> {
    let Some(test) = TestStore::postgres().await? else { return Ok(()) };
    let mut writer = Writer::open(&test.store, now()).await?;
    let killer = tokio::spawn(kill_writers(test.url.clone(), 150));
    let (mut appended, mut failed) = (0, 0);
    while !killer.is_finished() {
        let batch = records(3);
        appended += batch.len();
        let mut outcome = writer.append(batch.clone(), now()).await;
        while outcome.is_err() {
            failed += 1;
            outcome = writer.append_again(batch.clone(), now()).await;
        }
    }
    let killed = killer.await??;
    let report = chain::verify(&test.store.system()).await?;
    println!("{killed} connections killed, {appended} records in {} chains, {failed} failures", report.writers);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.records, appended as u64);
    assert!(killed > 20, "the writer was hit {killed} times");
    Ok(test.remove().await?)
}

/// Ends the connections of the audit's writers so often, and says how many it met.
async fn kill_writers(url: String, times: usize) -> Result<usize> {
    let mut killed = 0;
    for turn in 0..times {
        killed += kill_audit_connections(&url).await?;
        tokio::time::sleep(Duration::from_millis(turn as u64 * 7 % 23)).await;
    }
    Ok(killed)
}
