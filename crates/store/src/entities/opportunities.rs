use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A deal in a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "opportunities")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub tenant_id: String,
    pub ecosystem: String,
    pub vendor_id: String,
    pub contact_vendor_id: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub name: Option<String>,
    pub pipeline: Option<String>,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub value: Option<f64>,
    #[serde(skip)]
    pub data_hash: Vec<u8>,
    pub last_synced: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
    pub seen_run: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
