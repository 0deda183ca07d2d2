//! A vendor's limit that all replicas on one database share.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sdk::http::{Bucket, Buckets, Place, Places};
use sdk::{Auth, Limits};
use sha2::{Digest, Sha256};
use store::{Backend, DEFAULT_CONNECTION, Store};
use uuid::Uuid;

use super::accounts::Account;
use crate::clock::Clock;

/// The buckets on the database.
#[derive(Clone)]
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
    pub(super) fn buckets(&self, ecosystem: &str, account: &Account) -> Buckets {
        let secrets = account.credentials.secrets();
        let mut account_hash = secrets.fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
        // One client opens many accounts, and vendors count each by itself; a key opens its own only.
        let by_client = !matches!(account.auth, Some(Auth::Keys(_)) | None);
        if by_client && account.connection != DEFAULT_CONNECTION {
            account_hash.update(&account.connection);
        }
        let account = account_hash;
        let account = format!("{ecosystem}:{}", hex::encode(&account.finalize()[..8]));
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Box::new(move |endpoint, limits| {
            let key = endpoint.map_or_else(|| account.clone(), |endpoint| format!("{account} {endpoint}"));
            let here = Places::new(limits);
            Arc::new(OneBucket { store: store.clone(), clock: clock.clone(), key, limits, here })
        })
    }
}

/// One account's bucket: one statement a request.
struct OneBucket {
    store: Store,
    clock: Clock,
    key: String,
    limits: Limits,
    /// Callers of this process queue here, so that only the first of them ask the database.
    here: Places,
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

    fn place(&self, longest: Duration) -> BoxFuture<'_, sdk::Result<Place>> {
        Box::pin(async move {
            let here = self.here.take().await?;
            let Some(most) = self.limits.in_flight else { return Ok(here) };
            let (system, holder) = (self.store.system(), Uuid::new_v4());
            loop {
                let now = self.clock.now();
                let entered = store::rate::enter(&system, &self.key, holder, most.get(), now, longest + GRACE).await;
                if let Some(place) = entered.map_err(crate::unavailable)? {
                    let (store, key) = (self.store.clone(), self.key.clone());
                    return Ok(Box::new(Taken { store, key, holder, place, _here: here }));
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    }
}

/// Beyond the longest exchange, for what happens around it.
const GRACE: Duration = Duration::from_secs(5);
/// How often a process asks whether another gave a place back.
const LOOK_AGAIN: Duration = Duration::from_millis(40);

/// A place on the database.
struct Taken {
    store: Store,
    key: String,
    holder: Uuid,
    place: i64,
    _here: Place,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, key, holder, place) = (self.store.clone(), std::mem::take(&mut self.key), self.holder, self.place);
        runtime.spawn(async move {
            // Whoever cannot give it back leaves it to its end.
            if let Err(error) = store::rate::leave(&store.system(), &key, holder, place).await {
                tracing::warn!(%error, "a place for a request was not given back");
            }
        });
    }
}
