use sea_orm::entity::prelude::*;
use serde::Serialize;

/// What is to be run again and again, and when next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub name: String,
    pub kind: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    pub cron: Option<String>,
    pub every_seconds: Option<i64>,
    pub next_due: DateTimeUtc,
    pub last_tick: Option<DateTimeUtc>,
    pub enabled: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
