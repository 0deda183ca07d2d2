//! A dry run: what a write would change, told without changing anything.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What a write would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// One sentence.
    pub would: String,
    /// Each difference that it would make; empty when everything is already as wanted.
    pub changes: Vec<Change>,
    /// What a person should know before saying yes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// The field or record that changes.
    pub what: String,
    /// As it is; left out for what would be new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// As it would be; left out for what would be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Plan {
    pub fn new(would: impl Into<String>) -> Plan {
        Plan { would: would.into(), ..Plan::default() }
    }

    /// Adds a record or field that would be new.
    pub fn adds(mut self, what: impl Into<String>, after: impl Into<Value>) -> Plan {
        self.changes.push(Change { what: what.into(), before: None, after: Some(after.into()) });
        self
    }

    /// Adds a record or field that would go.
    pub fn removes(mut self, what: impl Into<String>, before: impl Into<Value>) -> Plan {
        self.changes.push(Change { what: what.into(), before: Some(before.into()), after: None });
        self
    }

    /// Adds a field that would have another value; the same value is no change.
    pub fn sets(mut self, what: impl Into<String>, before: impl Into<Value>, after: impl Into<Value>) -> Plan {
        let (before, after) = (before.into(), after.into());
        if before != after {
            self.changes.push(Change { what: what.into(), before: Some(before), after: Some(after) });
        }
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Plan {
        self.notes.push(note.into());
        self
    }
}
