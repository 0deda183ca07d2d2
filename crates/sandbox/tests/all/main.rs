//! The sandbox over real HTTP.

mod business;
mod client;
mod contract;
mod errors;
mod faults;
mod oauth;
mod paging;
mod versions;
mod webhooks;
mod writes;
