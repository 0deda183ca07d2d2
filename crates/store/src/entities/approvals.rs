use sea_orm::entity::prelude::*;
use serde::Serialize;

/// A call that waits for a person, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "approvals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: String,
    pub tool_name: String,
    pub tool_version: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub arguments: Json,
    pub arguments_hash: String,
    pub effect: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub requester: Json,
    pub reason: Option<String>,
    pub state: ApprovalState,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub decided_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub decided_by: Option<Json>,
    pub note: Option<String>,
    pub execution_id: Option<Uuid>,
    pub result_execution_id: Option<Uuid>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub result: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub asks: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub plan: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub asked_arguments: Option<Json>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub modified_by: Option<Json>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    #[sea_orm(string_value = "pending")]
    Pending,
    #[sea_orm(string_value = "approved")]
    Approved,
    #[sea_orm(string_value = "executing")]
    Executing,
    #[sea_orm(string_value = "executed")]
    Executed,
    #[sea_orm(string_value = "failed")]
    Failed,
    #[sea_orm(string_value = "unknown")]
    Unknown,
    #[sea_orm(string_value = "rejected")]
    Rejected,
    #[sea_orm(string_value = "expired")]
    Expired,
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl ApprovalState {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}
