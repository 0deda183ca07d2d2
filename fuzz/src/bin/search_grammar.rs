//! A question about contacts in plain words: reading it never fails, and says what was understood.
#![no_main]

use chrono::{DateTime, FixedOffset};
use libfuzzer_sys::fuzz_target;
use server::brain::grammar;

fuzz_target!(|data: &[u8]| {
    let (Ok(text), Some(zone)) = (std::str::from_utf8(data), FixedOffset::east_opt(0)) else { return };
    let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap_or_default();
    let question = grammar::parse(text, now, zone);
    drop(question.understood(zone));
});
