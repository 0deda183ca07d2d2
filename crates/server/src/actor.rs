//! Who calls.

use serde::Serialize;
use uuid::Uuid;

/// What kind of caller it is; the policy decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// An AI agent or a program with an API key.
    Agent,
    /// A person in the dashboard or at the machine's terminal.
    Person,
    /// The server itself: schedules, syncs, approved calls.
    System,
}

/// The way a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Mcp,
    Rest,
    Stdio,
    Cli,
    Run,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Call tools that change nothing.
    Read,
    /// Call tools that change something, as far as the policy allows.
    Write,
    /// Decide approvals. Never given to an agent.
    Approve,
}

impl Scope {
    pub fn parse(text: &str) -> Option<Scope> {
        match text {
            "read" => Some(Scope::Read),
            "write" => Some(Scope::Write),
            "approve" => Some(Scope::Approve),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Approve => "approve",
        }
    }
}

/// A caller, proven by a front door.
#[derive(Clone, Debug, Serialize)]
pub struct Actor {
    pub kind: ActorKind,
    /// The key, person or run.
    pub id: String,
    pub name: String,
    #[serde(skip)]
    pub tenant: String,
    #[serde(skip)]
    pub scopes: Vec<Scope>,
    pub door: Door,
    /// What the client calls itself (its `User-Agent`); not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The one tenant of an installation for a single business.
pub const DEFAULT_TENANT: &str = "default";

impl Actor {
    /// The agent that the machine's owner started over stdio.
    pub fn stdio() -> Actor {
        Actor {
            kind: ActorKind::Agent,
            id: "stdio".into(),
            name: "local agent".into(),
            tenant: DEFAULT_TENANT.into(),
            scopes: vec![Scope::Read, Scope::Write],
            door: Door::Stdio,
            client: None,
        }
    }

    /// The person at the machine's terminal.
    pub fn terminal() -> Actor {
        Actor {
            kind: ActorKind::Person,
            id: "terminal".into(),
            name: "machine owner".into(),
            tenant: DEFAULT_TENANT.into(),
            scopes: vec![Scope::Read, Scope::Write, Scope::Approve],
            door: Door::Cli,
            client: None,
        }
    }

    /// The server itself on behalf of a run.
    pub fn run(tenant: &str, run: Uuid) -> Actor {
        Actor {
            kind: ActorKind::System,
            id: run.to_string(),
            name: "run".into(),
            tenant: tenant.into(),
            scopes: vec![Scope::Read, Scope::Write],
            door: Door::Run,
            client: None,
        }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}
