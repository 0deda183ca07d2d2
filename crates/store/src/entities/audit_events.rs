use sea_orm::entity::prelude::*;
use serde::Serialize;

/// Something that the audit keeps beside calls: an intent, a decision, a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub timestamp: DateTimeUtc,
    pub event: String,
    pub execution_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary")]
    pub actor: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
    pub writer: Uuid,
    pub seq: i64,
    #[serde(skip)]
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
