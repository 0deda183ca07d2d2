use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A message, call, note, appointment or meeting with a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "interaction_history")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub tenant_id: String,
    pub contact_id: i64,
    pub timestamp: DateTimeUtc,
    pub interaction_type: String,
    pub direction: Option<String>,
    pub description: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub extra_data: Option<Json>,
    pub ecosystem: String,
    pub vendor_id: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
