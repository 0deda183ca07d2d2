//! The audit chain: every record carries the SHA-256 of the record before it and of its own content, so that whoever
//! changes, removes, inserts or reorders a record is found. The writer and the verifier share the encoding here.

mod json;
mod verify;

pub use json::canonical_json;
pub use verify::{Finding, Report, is_sound_until, verify, verify_from, verify_writer};

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// A place in a writer's chain: the record there and the hash that ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub writer: Uuid,
    /// The first record has 1.
    pub seq: i64,
    pub hash: Hash,
}

impl Link {
    /// The place before a writer's first record. It depends on the writer, so that one writer's chain cannot be passed
    /// off as another's.
    pub fn start(writer: Uuid) -> Self {
        let hash = Sha256::new().chain_update(b"enterprise-mcp audit 1").chain_update(writer.as_bytes()).finalize();
        Self { writer, seq: 0, hash: hash.into() }
    }

    /// The place after one more record.
    pub fn next(&self, record: &Record) -> Self {
        let encoded = record.encode(self.seq + 1);
        let hash = Sha256::new().chain_update(self.hash).chain_update(&encoded).finalize();
        Self { writer: self.writer, seq: self.seq + 1, hash: hash.into() }
    }
}

/// What the audit keeps. JSON is held as canonical text, which is both what is hashed and what is stored: PostgreSQL
/// reorders keys and rewrites numbers, and the canonical form is the same before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Execution(Execution),
    Event(Event),
    ApiCall(ApiCall),
}

/// One call of a tool, as `tool_executions` keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub id: Uuid,
    pub tenant_id: String,
    pub timestamp: DateTime<Utc>,
    pub tool_name: String,
    pub params: Canonical,
    pub response: Option<Canonical>,
    pub duration_ms: i64,
    /// `success`, `error`, `timeout`, `denied` or `pending_approval`.
    pub status: String,
    pub error_message: Option<String>,
    /// `live`, `sample` or `cached`.
    pub source: Option<String>,
    /// Who and what triggered it.
    pub user_context: Canonical,
    pub effect: String,
    pub approval_id: Option<Uuid>,
}

/// Something beside calls, as `audit_events` keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: Uuid,
    pub tenant_id: String,
    pub timestamp: DateTime<Utc>,
    /// `intent`, `approval_decided`, `key_created` …
    pub event: String,
    pub execution_id: Option<Uuid>,
    pub actor: Canonical,
    pub detail: Canonical,
}

/// One HTTP request to a vendor, as `api_calls` keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    pub id: Uuid,
    pub tenant_id: String,
    pub execution_id: Option<Uuid>,
    pub timestamp: DateTime<Utc>,
    pub ecosystem: String,
    pub endpoint: String,
    pub method: String,
    /// None where no answer came.
    pub status_code: Option<i32>,
    pub latency_ms: i64,
    pub request_size_bytes: i64,
    pub response_size_bytes: i64,
    pub error: Option<String>,
    pub rate_limited: bool,
    pub attempt: i32,
}

/// JSON text with sorted keys and plain numbers. Made from a value with `Canonical::from(&value)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical(String);

impl Canonical {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Canonical again after a database had it. Text that is no JSON is kept as it is: its hash will not fit.
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(json::canonical_text(text).unwrap_or_else(|| text.to_owned()))
    }
}

impl From<&Value> for Canonical {
    fn from(value: &Value) -> Self {
        Self(canonical_json(value))
    }
}

impl Record {
    /// The record's id, which is its primary key.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Execution(record) => record.id,
            Self::Event(record) => record.id,
            Self::ApiCall(record) => record.id,
        }
    }

    /// The record as the databases will return it: microseconds, and no U+0000.
    pub(crate) fn tidy(&mut self) {
        match self {
            Self::Execution(record) => {
                record.timestamp = crate::micros(record.timestamp);
                record.error_message = crate::text::clean_option(record.error_message.as_deref());
            }
            Self::Event(record) => record.timestamp = crate::micros(record.timestamp),
            Self::ApiCall(record) => {
                record.timestamp = crate::micros(record.timestamp);
                record.error = crate::text::clean_option(record.error.as_deref());
                record.endpoint = crate::text::clean(&record.endpoint).into_owned();
            }
        }
    }

    fn encode(&self, seq: i64) -> Vec<u8> {
        let mut out = Encoder(Vec::with_capacity(512));
        match self {
            Self::Execution(record) => record.encode(out.tag(1).int(seq)),
            Self::Event(record) => record.encode(out.tag(2).int(seq)),
            Self::ApiCall(record) => record.encode(out.tag(3).int(seq)),
        }
        out.0
    }
}

impl Execution {
    fn encode(&self, out: &mut Encoder) {
        out.uuid(self.id).text(&self.tenant_id).time(self.timestamp).text(&self.tool_name);
        out.text(self.params.as_str()).option(self.response.as_ref().map(Canonical::as_str)).int(self.duration_ms);
        out.text(&self.status).option(self.error_message.as_deref()).option(self.source.as_deref());
        out.text(self.user_context.as_str()).text(&self.effect).option_uuid(self.approval_id);
    }
}

impl Event {
    fn encode(&self, out: &mut Encoder) {
        out.uuid(self.id).text(&self.tenant_id).time(self.timestamp).text(&self.event);
        out.option_uuid(self.execution_id).text(self.actor.as_str()).text(self.detail.as_str());
    }
}

impl ApiCall {
    fn encode(&self, out: &mut Encoder) {
        out.uuid(self.id).text(&self.tenant_id).option_uuid(self.execution_id).time(self.timestamp);
        out.text(&self.ecosystem).text(&self.endpoint).text(&self.method);
        out.int(self.status_code.map_or(i64::MIN, i64::from)).int(self.latency_ms);
        out.int(self.request_size_bytes).int(self.response_size_bytes).option(self.error.as_deref());
        out.int(i64::from(self.rate_limited)).int(i64::from(self.attempt));
    }
}

/// Every field with its length before it, so that no two records have the same bytes.
struct Encoder(Vec<u8>);

impl Encoder {
    fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.push(tag);
        self
    }

    fn int(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.0.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    fn option(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.tag(1).text(value),
            None => self.tag(0),
        }
    }

    fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    fn option_uuid(&mut self, value: Option<Uuid>) -> &mut Self {
        match value {
            Some(value) => self.tag(1).uuid(value),
            None => self.tag(0),
        }
    }

    fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.int(value.timestamp_micros())
    }
}
