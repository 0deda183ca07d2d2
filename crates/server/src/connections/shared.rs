//! A vendor's limit that all replicas on one database share.

use std::time::Duration;

use futures::future::BoxFuture;
use sdk::http::Bucket;
use sdk::{Credentials, Limits};
use sha2::{Digest, Sha256};
use store::{Backend, Store};

use crate::clock::Clock;

/// The buckets on the database.
pub struct Shared {
    store: Store,
    clock: Clock,
}

impl Shared {
    /// On PostgreSQL there may be other replicas; a SQLite file has one process.
    pub fn on(store: &Store, clock: &Clock) -> Option<Shared> {
        (store.backend() == Backend::Postgres).then(|| Shared { store: store.clone(), clock: clock.clone() })
    }

    /// The bucket of one account. Its name is a hash, because the account is known by its secret.
    pub(super) fn bucket(&self, ecosystem: &str, credentials: &Credentials, limits: Limits) -> OneBucket {
        let account = credentials.secrets().fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
        let key = format!("{ecosystem}:{}", hex::encode(&account.finalize()[..8]));
        OneBucket { store: self.store.clone(), clock: self.clock.clone(), key, limits }
    }
}

/// One account's bucket: one statement a request.
pub(super) struct OneBucket {
    store: Store,
    clock: Clock,
    key: String,
    limits: Limits,
}

impl Bucket for OneBucket {
    fn take(&self) -> BoxFuture<'_, sdk::Result<Result<(), Duration>>> {
        Box::pin(async move {
            let burst = self.limits.replenish * self.limits.burst.get();
            let (system, now) = (self.store.system(), self.clock.now());
            let wait = store::rate::take(&system, &self.key, now, self.limits.replenish, burst).await;
            Ok(wait.map_err(crate::unavailable)?.map_or(Ok(()), Err))
        })
    }
}
