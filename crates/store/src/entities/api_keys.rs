use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A key of a program. Only its SHA-256 is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema, DeriveEntityModel)]
#[schemars(rename = "ApiKey")]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub name: String,
    pub prefix: String,
    #[serde(skip)]
    pub hash: String,
    #[sea_orm(column_type = "JsonBinary")]
    #[schemars(with = "Vec<String>")]
    pub scopes: Json,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    #[schemars(with = "Option<Vec<String>>")]
    pub toolsets: Option<Json>,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
