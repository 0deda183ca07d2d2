//! Who may call: keys of programs, and people who sign in.

pub mod keys;
pub mod oauth;
mod door;
mod fresh;
pub mod people;
pub mod sessions;
mod passwords;
pub mod proof;
pub mod standing;
mod tokens;
mod totp;

pub use passwords::Passwords;
