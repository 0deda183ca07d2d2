use sea_orm::entity::prelude::*;
use serde::Serialize;

/// What an agent decided, why, and what people thought of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "agent_decisions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub timestamp: DateTimeUtc,
    pub agent_id: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub context: Json,
    pub decision: String,
    pub rationale: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub tools_used: Json,
    pub outcome: Option<String>,
    pub user_feedback: Option<String>,
    pub caller_id: Option<String>,
    pub correlation_id: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
