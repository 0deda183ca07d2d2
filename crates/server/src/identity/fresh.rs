//! What was looked up lately, so that not every call asks the database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// How long something that was found may be used before it is looked up again. What another process ends takes effect
/// within this time.
const FRESH: Duration = Duration::from_secs(5);
/// Entries that are remembered at most.
const REMEMBERED: usize = 1000;

/// Callers by the hash of what they showed.
pub struct Fresh<T>(Mutex<HashMap<String, (T, Instant)>>);

impl<T> Default for Fresh<T> {
    fn default() -> Fresh<T> {
        Fresh(Mutex::default())
    }
}

impl<T: Clone> Fresh<T> {
    pub(super) fn get(&self, hash: &str) -> Option<T> {
        self.found().get(hash).filter(|(_, at)| at.elapsed() < FRESH).map(|(value, _)| value.clone())
    }

    pub(super) fn put(&self, hash: String, value: T) {
        let mut found = self.found();
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(hash, (value, Instant::now()));
    }

    /// Forgets everything, after something was ended in this process.
    pub fn forget(&self) {
        self.found().clear();
    }

    fn found(&self) -> MutexGuard<'_, HashMap<String, (T, Instant)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
