use sea_orm::entity::prelude::*;
use serde::Serialize;

/// One call of a tool. Inserted once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "tool_executions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub timestamp: DateTimeUtc,
    pub tool_name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub params: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub response: Option<Json>,
    pub duration_ms: i64,
    pub status: String,
    pub error_message: Option<String>,
    pub source: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub user_context: Json,
    pub effect: String,
    pub approval_id: Option<Uuid>,
    pub writer: Uuid,
    pub seq: i64,
    #[serde(skip)]
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
