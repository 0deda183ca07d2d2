use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A contact as its vendor knows it, with the typed columns that we search by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "contacts")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub tenant_id: String,
    pub ecosystem: String,
    pub vendor_id: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub kind: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    pub source: Option<String>,
    pub created_at: Option<DateTimeUtc>,
    pub last_activity: Option<DateTimeUtc>,
    #[serde(skip)]
    pub data_hash: Vec<u8>,
    #[serde(skip)]
    pub extra_text: Option<String>,
    #[serde(skip)]
    pub search_text: String,
    pub importance: i16,
    pub last_synced: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
    pub seen_run: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
