use sea_orm::entity::prelude::*;
use serde::Serialize;

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema, DeriveEntityModel)]
#[schemars(rename = "Person")]
#[sea_orm(table_name = "people")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub email: String,
    pub name: String,
    pub role: String,
    #[serde(skip)]
    pub password_hash: Option<String>,
    #[serde(skip)]
    pub totp_key_id: Option<String>,
    #[serde(skip)]
    pub totp_sealed: Option<Vec<u8>>,
    pub totp_since: Option<DateTimeUtc>,
    #[serde(skip)]
    pub totp_step: Option<i64>,
    pub disabled_at: Option<DateTimeUtc>,
    pub failures: i64,
    pub locked_until: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub last_login_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
