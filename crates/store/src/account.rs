//! Which account of an ecosystem is meant, where a business has several.

/// One connection of an ecosystem: a second company in QuickBooks has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account<'a> {
    pub ecosystem: &'a str,
    /// The connection's name; [`DEFAULT`] where nobody gave one.
    pub connection: &'a str,
}

/// The name of a connection that nobody gave a name.
pub const DEFAULT: &str = "default";

impl<'a> From<&'a str> for Account<'a> {
    fn from(ecosystem: &'a str) -> Self {
        Account { ecosystem, connection: DEFAULT }
    }
}

impl<'a> From<(&'a str, &'a str)> for Account<'a> {
    fn from((ecosystem, connection): (&'a str, &'a str)) -> Self {
        Account { ecosystem, connection }
    }
}
