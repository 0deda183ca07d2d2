//! Who may call.

pub mod keys;
