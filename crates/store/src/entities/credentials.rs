use sea_orm::entity::prelude::*;

/// How an account of a vendor is opened.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub ecosystem: String,
    pub name: String,
    pub auth: String,
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub config: Json,
    pub key_id: String,
    pub sealed: Vec<u8>,
    pub scopes: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub checked_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
