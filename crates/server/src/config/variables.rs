//! The environment variables, one line each: the name that people have in their `.env`, where it
//! goes, its type.

/// One environment variable.
pub struct Variable {
    pub name: &'static str,
    /// The key in the configuration; empty for a secret, which is kept apart.
    pub path: &'static str,
    pub kind: Type,
}

#[derive(Clone, Copy)]
pub enum Type {
    Text,
    Number,
    Flag,
    /// Separated by commas.
    List,
}

const fn of(name: &'static str, path: &'static str, kind: Type) -> Variable {
    Variable { name, path, kind }
}

const fn secret(name: &'static str) -> Variable {
    of(name, "", Type::Text)
}

/// Every variable that is read.
pub const VARIABLES: &[Variable] = &[
    of("PORT", "server.port", Type::Number),
    of("BIND", "server.bind", Type::Text),
    of("KEY_LISTEN", "server.key_listen", Type::Text),
    of("BRAND", "server.brand", Type::Text),
    of("TUNNEL_URL", "server.public_url", Type::Text),
    of("ALLOWED_HOSTS", "server.allowed_hosts", Type::List),
    of("ALLOWED_ORIGINS", "server.allowed_origins", Type::List),
    of("TRUSTED_PROXIES", "server.trusted_proxies", Type::List),
    of("DATA_DIR", "server.data_dir", Type::Text),
    of("MAX_BODY_BYTES", "server.max_body_bytes", Type::Number),
    of("CALLS_PER_MINUTE", "server.calls_per_minute", Type::Number),
    of("READ_TIMEOUT_SECONDS", "server.read_timeout_seconds", Type::Number),
    of("SHUTDOWN_SECONDS", "server.shutdown_seconds", Type::Number),
    of("MCP_SESSIONS", "server.mcp_sessions", Type::Flag),
    of("OAUTH_ENABLED", "oauth.enabled", Type::Flag),
    of("OAUTH_CLIENT_DOCUMENTS", "oauth.client_documents", Type::Flag),
    of("OAUTH_DOCUMENTS_FROM", "oauth.documents_from", Type::Text),
    secret("MCP_API_KEY"),
    secret("MASTER_KEY"),
    of("DATABASE_URL", "database.url", Type::Text),
    of("LOG_LEVEL", "log.level", Type::Text),
    of("LOG_FORMAT", "log.format", Type::Text),
    of("ENABLE_AUDIT_LOG", "audit.store_responses", Type::Flag),
    of("AUDIT_KEEP_DAYS", "audit.keep_days", Type::Number),
    of("SYNC_ENABLED", "sync.enabled", Type::Flag),
    of("SYNC_EVERY_MINUTES", "sync.every_minutes", Type::Number),
    of("SYNC_RECONCILE_HOUR", "sync.reconcile_hour", Type::Number),
    of("WEBHOOKS_PER_MINUTE", "webhooks.per_minute", Type::Number),
    of("WEBHOOKS_MAX_WAITING", "webhooks.max_waiting", Type::Number),
    of("CONNECTIONS_WARN_DAYS", "connections.warn_days", Type::Number),
    of("TENANT_WALL", "tenants.wall", Type::Text),
    of("TENANT_CALLS_PER_MINUTE", "tenants.calls_per_minute", Type::Number),
    of("POLICY_DENY", "policy.deny", Type::List),
    of("POLICY_ASK", "policy.ask", Type::List),
    of("POLICY_ALLOW", "policy.allow", Type::List),
    of("POLICY_APPROVAL_MINUTES", "policy.approval_minutes", Type::Number),
    of("POLICY_CONTAINMENT_MINUTES", "policy.containment_minutes", Type::Number),
    of("NOTIFY_URL", "notifications.url", Type::Text),
    secret("NOTIFY_SECRET"),
    of("SANDBOX_SEED", "sandbox.seed", Type::Number),
    of("SANDBOX_CONTACTS", "sandbox.contacts", Type::Number),
    of("SANDBOX_DELAY_MS", "sandbox.delay_ms", Type::Number),
    secret("GHL_API_KEY"),
    secret("GHL_CLIENT_ID"),
    secret("GHL_CLIENT_SECRET"),
    of("GHL_REDIRECT_URI", "connectors.gohighlevel.redirect_uri", Type::Text),
    of("GHL_LOCATION_ID", "connectors.gohighlevel.location_id", Type::Text),
    of("GHL_BASE_URL", "connectors.gohighlevel.base_url", Type::Text),
    of("GHL_V1_BASE_URL", "connectors.gohighlevel.v1_base_url", Type::Text),
    of("GHL_API", "connectors.gohighlevel.api", Type::Text),
    of("GHL_API_VERSION", "connectors.gohighlevel.version", Type::Text),
    of("GHL_CONVERSATIONS_VERSION", "connectors.gohighlevel.conversations_version", Type::Text),
    of("GHL_PAGE_SIZE", "connectors.gohighlevel.page_size", Type::Number),
    of("GHL_REQUESTS_PER_SECOND", "connectors.gohighlevel.requests_per_second", Type::Number),
    secret("GHL_WEBHOOK_PUBLIC_KEY"),
    secret("QBO_CLIENT_ID"),
    secret("QBO_CLIENT_SECRET"),
    secret("QBO_REFRESH_TOKEN"),
    secret("QBO_WEBHOOK_VERIFIER_TOKEN"),
    of("QBO_REALM_ID", "connectors.quickbooks.realm_id", Type::Text),
    of("QBO_REDIRECT_URI", "connectors.quickbooks.redirect_uri", Type::Text),
    of("QBO_BASE_URL", "connectors.quickbooks.base_url", Type::Text),
    secret("GOOGLE_CLIENT_ID"),
    secret("GOOGLE_CLIENT_SECRET"),
    secret("GOOGLE_REFRESH_TOKEN"),
    secret("GOOGLE_SERVICE_ACCOUNT_KEY"),
    secret("GOOGLE_CHANNEL_TOKEN"),
    of("GOOGLE_SUBJECT", "connectors.google_workspace.subject", Type::Text),
    of("GOOGLE_REDIRECT_URI", "connectors.google_workspace.redirect_uri", Type::Text),
    secret("AMAZON_CLIENT_ID"),
    secret("AMAZON_CLIENT_SECRET"),
    secret("AMAZON_REFRESH_TOKEN"),
    of("AMAZON_SELLER_ID", "connectors.amazon.seller_id", Type::Text),
    of("AMAZON_APPLICATION_ID", "connectors.amazon.application_id", Type::Text),
    of("AMAZON_APPLICATION_VERSION", "connectors.amazon.application_version", Type::Text),
    of("AMAZON_REDIRECT_URI", "connectors.amazon.redirect_uri", Type::Text),
    of("AMAZON_BASE_URL", "connectors.amazon.base_url", Type::Text),
    of("AMAZON_MARKETPLACE_IDS", "connectors.amazon.marketplace_ids", Type::List),
    secret("CF_API_TOKEN"),
    of("CF_ZONE_ID", "connectors.cloudflare.zone_id", Type::Text),
    of("CF_ACCOUNT_ID", "connectors.cloudflare.account_id", Type::Text),
    secret("GODADDY_API_KEY"),
    secret("GODADDY_API_SECRET"),
    secret("GODADDY_TOKEN"),
    secret("SLACK_BOT_TOKEN"),
    secret("SLACK_CLIENT_ID"),
    secret("SLACK_CLIENT_SECRET"),
    secret("SLACK_SIGNING_SECRET"),
    of("SLACK_REDIRECT_URI", "connectors.slack.redirect_uri", Type::Text),
    secret("SMTP_USERNAME"),
    secret("SMTP_PASSWORD"),
    of("SMTP_HOST", "connectors.email.host", Type::Text),
    of("SMTP_PORT", "connectors.email.port", Type::Number),
    of("SMTP_SECURITY", "connectors.email.security", Type::Text),
    of("SMTP_FROM", "connectors.email.from", Type::Text),
];

/// A variable that begins so is meant for us: a misspelt one is an error.
pub const PREFIXES: &[&str] =
    &["GHL_", "QBO_", "GODADDY_", "MCP_", "SYNC_", "WEBHOOKS_", "SANDBOX_", "POLICY_", "OAUTH_"];

/// Begin like ours and belong to others.
pub const OTHERS: &[&str] = &["MCP_TIMEOUT", "MCP_TOOL_TIMEOUT", "MCP_AUTO_OPEN_ENABLED", "MCP_PROXY_AUTH_TOKEN"];

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};
    use super::VARIABLES;

    /// The end of the example says which key of the file each variable is.
    #[test]
    fn the_example_names_every_key() {
        let example = include_str!("../../../../.env.example");
        let named = example.split("# --- The same in enterprise-mcp.toml").nth(1).unwrap();
        let named: Vec<_> = named.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = ")).collect();
        let mut keys: Vec<_> = VARIABLES.iter().filter(|one| !one.path.is_empty()).map(|v| (v.name, v.path)).collect();
        keys.sort_unstable();
        let mut listed: Vec<_> = named.into_iter().filter(|(name, _)| !name.contains(' ')).collect();
        listed.sort_unstable();
        assert_eq!(listed, keys);
    }

    #[test]
    fn what_the_file_can_set_the_environment_can_set() {
        let pairs = [
            ("SHUTDOWN_SECONDS", "7"),
            ("SYNC_RECONCILE_HOUR", "22"),
            ("POLICY_APPROVAL_MINUTES", "90"),
            ("GHL_CONVERSATIONS_VERSION", "v3"),
        ];
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let config = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
        assert_eq!((config.server.shutdown_seconds, config.sync.reconcile_hour), (7, 22));
        assert_eq!(config.policy.approval_minutes, Some(90));
        assert_eq!(config.connectors["gohighlevel"]["conversations_version"].as_str(), Some("v3"));
    }
}
