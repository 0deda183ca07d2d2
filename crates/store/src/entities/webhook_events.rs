use sea_orm::entity::prelude::*;
use serde::Serialize;

/// One event that a vendor has told us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub ecosystem: String,
    /// The vendor's id of the event, or a hash where it has none; once a tenant and ecosystem.
    pub event_id: String,
    pub kind: String,
    pub account: Option<String>,
    /// Separated by spaces; the first is the record's own.
    pub streams: String,
    pub vendor_id: Option<String>,
    pub deleted: bool,
    pub occurred_at: Option<DateTimeUtc>,
    pub received_at: DateTimeUtc,
    /// `received`, `done`, `ignored` or `failed`.
    pub state: String,
    /// Why it was ignored or has failed.
    pub reason: Option<String>,
    /// The run that works on it, or has.
    pub run_id: Option<Uuid>,
    pub processed_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
