//! What every engine of runs has to hold, tried on the embedded one over SQLite and over PostgreSQL. Processes are real
//! and really killed; every effect is written to a file, so that "begun twice" can be counted and keys compared.
//!
//! PostgreSQL is the server of `TEST_POSTGRES_URL`; without it those tests print that they skip.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod runs_conformance {
    pub mod ledger;
    pub mod place;
    pub mod worker;

    mod crashes;
    mod failures;
    mod replicas;
    mod schedules;
    mod signals;
    mod timing;
}

/// Not a test: the process that the tests start, stop and kill. It returns at once when nobody asks it for work.
#[test]
fn worker_process() {
    runs_conformance::worker::main();
}
