//! The audit cannot be written, because somebody has locked it or the disk is full: nothing has an effect, nothing is
//! answered as done, everybody is told so, and it goes on by itself.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use server::actor::Actor;
use server::calls::{self, Outcome, Reply, Request};
use store::testing::{Locked, TestStore};
use tokio::time::Instant;

use crate::support::{TestServer, config};

/// How long the server may take to go on.
const RECOVERY: Duration = Duration::from_secs(10);

/// A person changes a contact, which needs nobody's yes.
async fn write(server: &TestServer, contact: &str, name: &str) -> Reply {
    let arguments = json!({"contact_id": contact, "first_name": name});
    calls::call(server.app(), &Actor::terminal(), Request::new("gohighlevel.update_contact", arguments)).await.unwrap()
}

async fn contact(server: &TestServer) -> String {
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    contacts["contacts"][0]["id"].as_str().unwrap().to_owned()
}

fn effects(server: &TestServer) -> usize {
    server.app().sandbox.business().effects().len()
}

/// Neither a write nor a read is done, and both are told why.
async fn is_refused(server: &TestServer, contact: &str) {
    let before = effects(server);
    let reply = write(server, contact, "Unrecorded").await;
    let Outcome::Failed(error) = reply.outcome else { panic!("a write went on without a record") };
    assert_eq!(error.kind, sdk::Kind::Unavailable, "{error}");
    assert_eq!(effects(server), before, "it had an effect");
    let (status, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
    assert_eq!(status, 503, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("audit"), "{body}");
}

/// What a load balancer sees.
async fn health(server: &TestServer) -> u16 {
    server.http.get(server.url("/health")).send().await.unwrap().status().as_u16()
}

/// Without any call, as where the load balancer sends none.
async fn is_ready_again(server: &TestServer) {
    let back = Instant::now();
    while health(server).await != 200 {
        assert!(back.elapsed() < RECOVERY, "not ready after {:?}", back.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn goes_on(server: &TestServer, contact: &str) {
    let back = Instant::now();
    while server.run("gohighlevel.read_contacts", json!({"limit": 1})).await.0 != 200 {
        assert!(back.elapsed() < RECOVERY, "not back after {:?}: {:?}", back.elapsed(), server.app().audit.trouble());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("back after {:?}", back.elapsed());
    let before = effects(server);
    assert!(matches!(write(server, contact, "Recorded").await.outcome, Outcome::Done(_)));
    assert_eq!(effects(server), before + 1);
    let report = store::chain::verify(&server.app().store.system()).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audits_tables_are_locked() {
    let mut databases = vec![TestStore::sqlite().await.unwrap()];
    databases.extend(TestStore::postgres().await.unwrap());
    for database in databases {
        let url = database.url.clone();
        println!("{url}");
        let server = match url.starts_with("sqlite") {
            // The test's own handle holds the file.
            true => TestServer::sqlite().await,
            false => TestServer::on(database).await,
        };
        let url = server.app().config.database_url();
        let contact = contact(&server).await;
        let locked = Locked::take(&url).await.unwrap();
        is_refused(&server, &contact).await;
        assert_eq!(health(&server).await, 503);
        locked.release().await.unwrap();
        is_ready_again(&server).await;
        goes_on(&server, &contact).await;
        server.stop().await;
    }
}

/// A small file system of the test's own, gone with it.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk(folder)),
            _ => {
                println!("skipped: a small file system cannot be mounted here");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("everything-else")).unwrap();
        for block in [1 << 20, 1 << 12, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; block]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.path().join("everything-else")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut config = config(&[]);
    config.server.data_dir = disk.path().to_owned();
    config.sandbox.contacts = 50;
    let app = crate::support::app(config).await.unwrap();
    let server = server::serve::Server::start(Arc::clone(&app)).await.unwrap();
    let http = server::app::client().unwrap();
    let server = TestServer { server, http, folder: tempfile::tempdir().unwrap(), database: None };
    let contact = contact(&server).await;
    for _ in 0..2 {
        disk.fill();
        // What room there is left in the log is used up first.
        let mut refused = false;
        for _ in 0..200 {
            refused = server.run("system.tools", json!({})).await.0 == 503;
            if refused {
                break;
            }
        }
        assert!(refused, "the disk was never full");
        is_refused(&server, &contact).await;
        disk.empty();
        goes_on(&server, &contact).await;
    }
    server.stop().await;
}
