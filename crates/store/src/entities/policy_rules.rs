use sea_orm::entity::prelude::*;
use serde::Serialize;

/// One rule of a tenant's policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema, DeriveEntityModel)]
#[schemars(rename = "PolicyRule")]
#[sea_orm(table_name = "policy_rules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub position: i64,
    pub name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub rule: Json,
    pub enabled: bool,
    pub created_by: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
