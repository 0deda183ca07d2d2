//! Which connection is meant, as people and calls say it.

use sdk::{Error, Result};
use store::{Account, DEFAULT_CONNECTION};

/// An ecosystem, and the name of one of its connections; without a name the first is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    pub ecosystem: String,
    pub name: Option<String>,
}

impl Which {
    pub fn new(ecosystem: impl Into<String>, name: Option<String>) -> Which {
        Which { ecosystem: ecosystem.into(), name }
    }

    /// Where a connection of this name is kept.
    pub(super) fn account(&self) -> Account<'_> {
        let connection = self.name.as_deref().unwrap_or(DEFAULT_CONNECTION);
        Account { ecosystem: &self.ecosystem, connection }
    }

    /// A name that a person can type and that fits into a column.
    pub(super) fn checked(self) -> Result<Which> {
        let name = self.name.map(|name| name.trim().to_owned());
        let fits = |name: &String| !name.is_empty() && name.len() <= LONGEST && !name.contains(char::is_control);
        if name.as_ref().is_some_and(|name| !fits(name)) {
            return Err(Error::invalid_input(format!("the name of a connection has 1 to {LONGEST} characters")));
        }
        Ok(Which { name, ..self })
    }
}

impl From<&str> for Which {
    fn from(ecosystem: &str) -> Which {
        Which::new(ecosystem, None)
    }
}

const LONGEST: usize = 60;
