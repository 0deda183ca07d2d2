//! Where each chain of the audit had got to, noted in a file beside the database: who can write to the database can cut a
//! chain together with its end, or write both anew, and that is found by this.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::System;
use store::audit::{self, Position};
use store::chain::{Finding, Link, Report};
use uuid::Uuid;

use crate::config::Config;

/// The ends by their writers, in a file.
pub struct Ends {
    path: PathBuf,
    noted: BTreeMap<Uuid, End>,
}

/// The last record of a chain when it was looked at.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    seq: i64,
    /// In hexadecimal digits.
    hash: String,
}

impl Ends {
    /// Those that are noted for the configured database. None are where nobody has looked yet.
    pub fn read(config: &Config) -> Result<Ends> {
        let path = config.server.data_dir.join(format!("audit-ends-{}.json", name_of(&config.database_url())));
        let unread = |why: &dyn std::fmt::Display| Error::unavailable(format!("{}: {why}", path.display()));
        let noted = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| unread(&e))?,
            Err(e) if e.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(unread(&e)),
        };
        Ok(Ends { path, noted })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// Goes on to where the chains are now. A chain that does not hold what was noted of it keeps its note, for
    /// verification to find.
    pub async fn go_on(&mut self, system: &System, trusted: &[Link]) -> Result<()> {
        let mut moved = false;
        for position in audit::writers(system).await.map_err(crate::unavailable)? {
            let now = End::of(&position);
            match self.noted.get(&position.writer) {
                Some(noted) if *noted == now => continue,
                Some(noted) if !noted.is_there(system, trusted, position.writer).await? => {
                    tracing::error!(writer = %position.writer, seq = noted.seq, "the audit is not as it was noted");
                    continue;
                }
                _ => self.noted.insert(position.writer, now),
            };
            moved = true;
        }
        if moved { self.write() } else { Ok(()) }
    }

    /// Adds what was noted and is not there.
    pub async fn verify(&self, system: &System, trusted: &[Link], report: &mut Report) -> Result<()> {
        for (writer, end) in &self.noted {
            if !end.is_there(system, trusted, *writer).await? {
                report.add(Finding::NotAsNoted { writer: *writer, seq: end.seq });
            }
        }
        Ok(())
    }

    /// A reader finds the old or the new file, never half of one.
    fn write(&self) -> Result<()> {
        let unwritten = |e: &dyn std::fmt::Display| Error::unavailable(format!("{}: {e}", self.path.display()));
        let beside = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let text = serde_json::to_vec_pretty(&self.noted).map_err(|e| unwritten(&e))?;
        let folder = self.path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder.and_then(|()| std::fs::write(&beside, text));
        written.and_then(|()| std::fs::rename(&beside, &self.path)).map_err(|e| unwritten(&e))
    }
}

impl End {
    fn of(position: &Position) -> End {
        End { seq: position.last_seq, hash: hex::encode(position.head_hash) }
    }

    /// Whether the chain holds this record still, or has let go of it in the way that is ours.
    async fn is_there(&self, system: &System, trusted: &[Link], writer: Uuid) -> Result<bool> {
        if self.seq == 0 || trusted.iter().any(|link| link.writer == writer && link.seq >= self.seq) {
            return Ok(true);
        }
        let link = audit::link_at(system, writer, self.seq).await.map_err(crate::unavailable)?;
        Ok(link.is_some_and(|link| hex::encode(link.hash) == self.hash))
    }
}

/// A name for a database that stays the same when its password changes.
fn name_of(url: &str) -> String {
    let place = url::Url::parse(url).ok().and_then(|parsed| {
        let host = parsed.host_str()?;
        Some(format!("{host}:{}{}", parsed.port().unwrap_or_default(), parsed.path()))
    });
    hex::encode(&Sha256::digest(place.as_deref().unwrap_or(url))[..6])
}
