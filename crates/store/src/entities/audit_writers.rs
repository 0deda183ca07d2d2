use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A process that writes the audit, and where its chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "audit_writers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub writer: Uuid,
    pub started_at: DateTimeUtc,
    pub last_seq: i64,
    #[serde(skip)]
    pub head_hash: Vec<u8>,
    pub closed_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
