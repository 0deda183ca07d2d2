//! Who calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use sdk::Effect;
use serde::Serialize;
use uuid::Uuid;

use crate::tools;

/// What kind of caller it is; the policy decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Mcp,
    Rest,
    /// A person in a browser.
    Dashboard,
    Stdio,
    Cli,
    Run,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Call tools that change nothing.
    Read,
    /// Call tools that change something, as far as the policy allows.
    Write,
    /// Call tools that remove or overwrite something, as far as the policy allows.
    Destroy,
    /// Decide approvals. Never given to an agent.
    Approve,
    /// Change keys, rules and people. Only people have it, by their role.
    Manage,
}

/// What a person is to a business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, owners too.
    Owner,
    /// Everything but owners.
    Admin,
    /// Works and decides; changes no keys, rules and people.
    Operator,
    /// Looks.
    Viewer,
}

impl Role {
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Owner, Role::Admin, Role::Operator, Role::Viewer].into_iter().find(|role| role.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
        }
    }

    pub fn scopes(self) -> Vec<Scope> {
        match self {
            Role::Owner | Role::Admin => vec![Scope::Read, Scope::Write, Scope::Destroy, Scope::Approve, Scope::Manage],
            Role::Operator => vec![Scope::Read, Scope::Write, Scope::Destroy, Scope::Approve],
            Role::Viewer => vec![Scope::Read],
        }
    }
}

impl Scope {
    pub fn parse(text: &str) -> Option<Scope> {
        match text {
            "read" => Some(Scope::Read),
            "write" => Some(Scope::Write),
            "destroy" => Some(Scope::Destroy),
            "approve" => Some(Scope::Approve),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Destroy => "destroy",
            Scope::Approve => "approve",
            Scope::Manage => "manage",
        }
    }

    /// What a call of this effect needs.
    pub fn needed(effect: Effect) -> Scope {
        match effect {
            Effect::Read => Scope::Read,
            Effect::Internal | Effect::Write => Scope::Write,
            Effect::Destructive => Scope::Destroy,
        }
    }
}

/// A caller, proven by a front door.
#[derive(Clone, Debug, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Caller")]
pub struct Actor {
    pub kind: ActorKind,
    /// The key, person or run.
    pub id: String,
    pub name: String,
    /// The person that an AI client acts for, who let it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behalf_of: Option<String>,
    #[serde(skip)]
    pub tenant: String,
    #[serde(skip)]
    pub scopes: Vec<Scope>,
    /// The ecosystems that a key is for; `None` is all.
    #[serde(skip)]
    pub toolsets: Option<Arc<BTreeSet<String>>>,
    /// A person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether the person has proven a second factor with this very request.
    #[serde(skip)]
    pub second_factor: bool,
    pub door: Door,
    /// What the client calls itself (its `User-Agent`); not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What all that it does towards one end has in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

/// What the ids of AI clients begin with that people let in.
pub const OAUTH: &str = "oauth:";

/// The tenant of an installation for a single business, and of who runs an installation for several.
pub const DEFAULT_TENANT: &str = "default";

/// Who is at the machine itself has neither a key nor an account.
const STDIO: &str = "stdio";
const TERMINAL: &str = "terminal";

impl Actor {
    /// The agent that the machine's owner started over stdio.
    pub fn stdio() -> Actor {
        Actor {
            kind: ActorKind::Agent,
            id: STDIO.into(),
            name: "local agent".into(),
            behalf_of: None,
            tenant: DEFAULT_TENANT.into(),
            scopes: vec![Scope::Read, Scope::Write, Scope::Destroy],
            toolsets: None,
            role: None,
            second_factor: false,
            door: Door::Stdio,
            client: None,
            correlation: None,
        }
    }

    /// A person who has signed in.
    pub fn person(id: &str, name: &str, tenant: &str, role: Role) -> Actor {
        Actor {
            kind: ActorKind::Person,
            id: id.into(),
            name: name.into(),
            behalf_of: None,
            tenant: tenant.into(),
            scopes: role.scopes(),
            toolsets: None,
            role: Some(role),
            second_factor: false,
            door: Door::Dashboard,
            client: None,
            correlation: None,
        }
    }

    /// The person at the machine's terminal.
    pub fn terminal() -> Actor {
        let person = Actor::person(TERMINAL, "machine owner", DEFAULT_TENANT, Role::Owner);
        // Who has the machine has the database.
        Actor { second_factor: true, door: Door::Cli, ..person }
    }

    /// The server itself on behalf of a run.
    pub fn run(tenant: &str, run: Uuid) -> Actor {
        let scopes = vec![Scope::Read, Scope::Write, Scope::Destroy];
        Actor { id: run.to_string(), name: "run".into(), tenant: tenant.into(), scopes, ..Actor::system() }
    }

    /// The server itself, for what it does and nobody asked for. It calls no tools.
    pub fn system() -> Actor {
        Actor {
            kind: ActorKind::System,
            id: "system".into(),
            name: "server".into(),
            behalf_of: None,
            tenant: DEFAULT_TENANT.into(),
            scopes: Vec::new(),
            toolsets: None,
            role: None,
            second_factor: false,
            door: Door::Run,
            client: None,
            correlation: None,
        }
    }

    /// Who stands in a record, as far as the policy asks about a caller: one that may read and write.
    pub fn of_record(record: &serde_json::Value, tenant: &str) -> Option<Actor> {
        let actor: Actor = serde::Deserialize::deserialize(record).ok()?;
        Some(Actor { tenant: tenant.into(), scopes: vec![Scope::Read, Scope::Write, Scope::Destroy], ..actor })
    }

    /// Whether it is at the machine itself.
    pub fn is_local(&self) -> bool {
        [STDIO, TERMINAL].contains(&self.id.as_str())
    }

    /// The same caller, of another business.
    pub fn of(self, tenant: &str) -> Actor {
        Actor { tenant: tenant.to_owned(), ..self }
    }

    /// The name that rules and budgets know it by. An AI client calls itself what it likes, so it is known by its id alone.
    pub fn known_as(&self) -> &str {
        if self.id.starts_with(OAUTH) { &self.id } else { &self.name }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the tools of this ecosystem are there for the caller.
    pub fn reaches(&self, ecosystem: &str) -> bool {
        self.toolsets.as_ref().is_none_or(|toolsets| toolsets.contains(ecosystem))
    }

    /// The same for a tool by its id, `quickbooks.list_invoices`.
    pub fn reaches_tool(&self, id: &str) -> bool {
        self.reaches(id.split('.').next().unwrap_or_default()) || tools::OF_WHAT_WAITS.contains(&id)
    }
}
