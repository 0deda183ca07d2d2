//! Which tools a client wants to see: `/mcp?toolsets=contacts,quickbooks&read_only=true`.
//!
//! A model pays for every tool that it is shown. A selection narrows what a caller may do; it never widens it.

use std::collections::BTreeSet;

use sdk::Effect;
use serde_json::Value;

use crate::tools::{Catalogue, Entry, OF_WHAT_WAITS};

/// What the address of a client selects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Ecosystems, `contacts` and `system` among them; `None` is all.
    toolsets: Option<BTreeSet<String>>,
    /// Nothing that has an effect outside.
    read_only: bool,
}

impl Selection {
    /// Reads the query of `/mcp`. A name that no tool belongs to is an error, because a client that sees nothing
    /// would not say why.
    pub fn read(query: Option<&str>, tools: &Catalogue) -> Result<Selection, String> {
        let mut selection = Selection::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "toolsets" => selection.toolsets = named(&value, tools)?,
                "read_only" | "readonly" => selection.read_only = switched(&value)?,
                // Proxies add parameters of their own.
                _ => {}
            }
        }
        Ok(selection)
    }

    /// Whether the tool is shown.
    pub fn shows(&self, entry: &Entry) -> bool {
        let wanted = self.toolsets.as_ref().is_none_or(|toolsets| toolsets.contains(entry.ecosystem));
        if self.read_only {
            return wanted && entry.spec.can_read();
        }
        wanted || OF_WHAT_WAITS.contains(&entry.id.as_str())
    }

    /// Why this call is not within the selection.
    pub fn refuses(&self, entry: &Entry, arguments: &Value) -> Option<String> {
        let id = &entry.id;
        if !self.shows(entry) {
            return Some(format!("{id} is not among the tools that this address selects"));
        }
        let effect = entry.spec.effect_of(arguments);
        (self.read_only && matches!(effect, Effect::Write | Effect::Destructive))
            .then(|| format!("this address is read-only; {id} would change something"))
    }
}

fn named(value: &str, tools: &Catalogue) -> Result<Option<BTreeSet<String>>, String> {
    let names: BTreeSet<String> =
        value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.contains("all") {
        return Ok(None);
    }
    let known: BTreeSet<&str> = tools.iter().map(|entry| entry.ecosystem).collect();
    match names.iter().find(|name| !known.contains(name.as_str())) {
        Some(unknown) => {
            let known: Vec<&str> = known.into_iter().collect();
            Err(format!("toolsets: there is no `{unknown}`; there are {}", known.join(", ")))
        }
        None => Ok(Some(names)),
    }
}

fn switched(value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        other => Err(format!("read_only: `{other}` is neither true nor false")),
    }
}
