use sea_orm::entity::prelude::*;
use serde::Serialize;

/// One HTTP request to a vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "api_calls")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub execution_id: Option<Uuid>,
    pub timestamp: DateTimeUtc,
    pub ecosystem: String,
    pub endpoint: String,
    pub method: String,
    pub status_code: Option<i32>,
    pub latency_ms: i64,
    pub request_size_bytes: i64,
    pub response_size_bytes: i64,
    pub error: Option<String>,
    pub rate_limited: bool,
    pub attempt: i32,
    pub writer: Uuid,
    pub seq: i64,
    #[serde(skip)]
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
