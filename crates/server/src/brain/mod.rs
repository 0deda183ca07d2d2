//! The brain: a local copy of the business that answers in milliseconds.
//!
//! Scores, the search grammar and the insights are pure functions of rows and the time; the rest
//! reads and writes the tenant's rows.

pub mod scoring;
pub mod grammar;
pub mod person;
pub mod insights;
pub mod recommend;
