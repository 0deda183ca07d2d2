//! A vendor's limit that all replicas on one database share.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sdk::http::{Bucket, Buckets};
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

    /// The buckets of one account. Their names begin with a hash, because the account is known by its secret.
    pub(super) fn buckets(&self, ecosystem: &str, credentials: &Credentials) -> Buckets {
        let account = credentials.secrets().fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
        let account = format!("{ecosystem}:{}", hex::encode(&account.finalize()[..8]));
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Box::new(move |endpoint, limits| {
            let key = endpoint.map_or_else(|| account.clone(), |endpoint| format!("{account} {endpoint}"));
            Arc::new(OneBucket { store: store.clone(), clock: clock.clone(), key, limits })
        })
    }
}

/// One account's bucket: one statement a request.
struct OneBucket {
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
