//! The brain: a local copy of the business that answers in milliseconds.
//!
//! Scores, the search grammar, insights and recommendations are pure functions of rows and the time; the rest reads
//! and writes the tenant's rows.

pub mod tools;
pub mod contacts;
pub mod reference;
pub mod linking;
mod across;
pub mod view;
pub mod memory;
pub mod report;
pub mod stats;
pub mod pages;
pub mod stand_in;
pub mod rescore;
pub mod words;
pub mod grammar;
pub mod insights;
pub mod recommend;
pub mod person;
pub mod times;
pub mod scoring;

pub use rescore::rescore;
pub use stand_in::stand_in;
pub use stats::freshness;
pub use words::words;

#[cfg(test)]
mod tests;
