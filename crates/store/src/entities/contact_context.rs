use sea_orm::entity::prelude::*;
use serde::Serialize;

/// What people and we know about a contact beyond the vendor's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "contact_context")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub contact_id: i64,
    pub tenant_id: String,
    pub contact_name: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub nicknames: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub own_nicknames: Json,
    pub personal_notes: Option<String>,
    pub company_info: Option<String>,
    pub relationship_notes: Option<String>,
    pub last_interaction: Option<DateTimeUtc>,
    pub interaction_count: i64,
    pub importance_score: i16,
    #[sea_orm(column_type = "JsonBinary")]
    pub custom_tags: Json,
    pub updated_at: DateTimeUtc,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
