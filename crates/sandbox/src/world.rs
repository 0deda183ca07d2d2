//! What all handlers of one sandbox share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    GoHighLevelAccount, Options,
    business::{Business, Kind, random, uuid},
    clock::{Clock, Millis},
    cloudflare,
    email::Post,
    faults::Faults,
    godaddy,
    gohighlevel::{limits::Limits, oauth::Grants},
    slack::Workspace,
    webhooks::Webhooks,
};

pub(crate) struct World {
    pub options: Options,
    pub clock: Clock,
    pub account: GoHighLevelAccount,
    pub faults: Faults,
    pub webhooks: Webhooks,
    pub stop: CancellationToken,
    business: Mutex<Business>,
    limits: Mutex<Limits>,
    grants: Mutex<Grants>,
    cloudflare: Mutex<cloudflare::State>,
    godaddy: Mutex<godaddy::State>,
    pub quickbooks: Mutex<crate::quickbooks::State>,
    pub google: Mutex<crate::google_workspace::State>,
    amazon: Mutex<crate::amazon::Shop>,
    slack: Mutex<Workspace>,
    post: Mutex<Post>,
    requests: AtomicU64,
    /// How often each vendor had to refuse because a limit was exceeded.
    breaches: Mutex<BTreeMap<&'static str, u64>>,
    /// How many requests each vendor is working on, where it counts that.
    under_way: Mutex<BTreeMap<&'static str, usize>>,
}

impl World {
    pub(crate) fn new(options: Options, stop: CancellationToken) -> World {
        let mut business = Business::generate(options.seed, options.contacts, options.now.timestamp_millis());
        business.contacts.lagging = !options.search_lag.is_zero();
        let webhooks = Webhooks::new(options.seed, options.webhook_retry, stop.clone());
        World {
            account: GoHighLevelAccount::derive(options.seed, &business, webhooks.secret("gohighlevel")),
            webhooks,
            godaddy: Mutex::new(godaddy::State::new(options.seed, &business, options.now.timestamp_millis())),
            cloudflare: Mutex::new(cloudflare::State::new(options.seed, &business, options.now.timestamp_millis())),
            amazon: Mutex::new(crate::amazon::Shop::new(options.seed)),
            slack: Mutex::new(Workspace::new(options.seed, &business, options.now.timestamp_millis())),
            post: Mutex::new(Post::new(options.seed, &business)),
            business: Mutex::new(business),
            limits: Mutex::new(Limits::new(options.daily)),
            grants: Mutex::new(Grants::new(options.seed)),
            faults: Faults::default(),
            quickbooks: Mutex::default(),
            google: Mutex::default(),
            requests: AtomicU64::new(0),
            breaches: Mutex::default(),
            under_way: Mutex::default(),
            clock: Clock::new(options.now),
            options,
            stop,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    pub(crate) fn business(&self) -> MutexGuard<'_, Business> {
        self.business.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn godaddy(&self) -> MutexGuard<'_, godaddy::State> {
        self.godaddy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cloudflare(&self) -> MutexGuard<'_, cloudflare::State> {
        self.cloudflare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn amazon(&self) -> MutexGuard<'_, crate::amazon::Shop> {
        self.amazon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn slack(&self) -> MutexGuard<'_, Workspace> {
        self.slack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request and gives its trace id: the same for the nth request of the same seed.
    pub(crate) fn trace(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        uuid(&mut random(self.options.seed, Kind::Trace, number))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A client exceeded a limit. Those that keep the limits never cause one.
    pub(crate) fn breach(&self, vendor: &'static str) {
        *self.breaches().entry(vendor).or_default() += 1;
    }

    pub(crate) fn breaches(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.breaches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins, unless as many are under way as the vendor takes.
    pub(crate) fn begin(self: &Arc<World>, vendor: &'static str, most: usize) -> Option<UnderWay> {
        let mut counts = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(vendor).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(UnderWay { world: self.clone(), vendor })
    }

    /// A write happened: it goes into the list of effects and to the subscribers.
    pub(crate) fn committed(
        &self,
        business: &mut Business,
        origin: &'static str,
        kind: &str,
        id: &str,
        payload: Value,
    ) {
        self.announce(kind, &payload);
        business.record(self.now(), kind, id, origin, payload);
    }

    /// A further event of a write that is already on the list.
    pub(crate) fn announce(&self, kind: &str, payload: &Value) {
        self.webhooks.gohighlevel(kind, payload, self.now());
    }
}

/// A request that a vendor is working on, until it is dropped.
pub(crate) struct UnderWay {
    world: Arc<World>,
    vendor: &'static str,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.world.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(self.vendor) {
            *count = count.saturating_sub(1);
        }
    }
}
