use sea_orm::entity::prelude::*;
use serde::Serialize;

/// How far a stream has been synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "sync_cursors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ecosystem: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub stream: String,
    pub high_water: Option<DateTimeUtc>,
    pub last_full_at: Option<DateTimeUtc>,
    pub updated_at: DateTimeUtc,
    pub bookmark: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
