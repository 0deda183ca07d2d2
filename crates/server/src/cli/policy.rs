//! `enterprise-mcp policy`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use server::actor::{Actor, ActorKind};
use server::policy::{self, Budget, Decision, Question, Rule, budgets};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the rules in the order in which they are asked
    List,
    /// Add a rule, or change the one of that name
    ///
    /// The rule is JSON with any of: tools (patterns), effects (read, internal, write, destructive), callers (agent,
    /// person, system, or a name), when (an expression such as "args.lines.exists(line, line.unit_price > 500)"), window
    /// ({"days": ["mon"], "from": "08:00", "to": "18:00", "outside": true}), decision (allow, ask, deny), asks ({"people":
    /// 2, "own": false, "roles": ["owner"], "second_factor": true, "minutes": 60}). docs/policy.md explains each.
    Set {
        name: String,
        /// Such as '{"tools": ["quickbooks.create_draft_invoice"], "when": "args.lines.exists(line, line.unit_price > 500)",
        /// "asks": {"people": 2}}'
        rule: String,
        /// Where it stands; without it a new one goes to the end, and another keeps its place
        #[arg(long)]
        position: Option<i64>,
        /// Keep it, but do not ask it
        #[arg(long)]
        off: bool,
    },
    /// Remove a rule
    Remove { name: String },
    /// Limit the calls or the money of a day or a month
    #[command(subcommand)]
    Budget(Budgets),
    /// Say what would be decided for a call, and why; nothing is called
    Test {
        tool: String,
        /// The arguments as JSON
        #[arg(default_value = "{}")]
        arguments: String,
        /// Who calls: agent or person
        #[arg(long = "as", default_value = "agent", value_parser = ["agent", "person"])]
        caller: String,
        /// The name of the caller, as rules know it
        #[arg(long)]
        name: Option<String>,
        /// When, such as 2026-11-20T19:30:00Z; without it now
        #[arg(long)]
        at: Option<chrono::DateTime<chrono::Utc>>,
    },
}

#[derive(clap::Subcommand)]
pub enum Budgets {
    /// Show the budgets and what was taken from them
    List,
    /// Add a budget, or change the one of that name
    ///
    /// The budget is JSON with any of: tools (patterns), effects, callers (agent, person, system, or a name), each (true:
    /// every caller has one of his own), per (day or month, in UTC), and either calls or amount with paths (where
    /// amounts stand in the arguments).
    Set {
        name: String,
        /// Such as '{"tools": ["quickbooks.create_draft_invoice"], "amount": 1000, "paths":
        /// ["lines[].unit_price*quantity"]}'
        budget: String,
    },
    /// Remove a budget
    Remove { name: String },
}

async fn budget(app: &server::app::App, by: &Actor, command: Budgets) -> anyhow::Result<()> {
    match command {
        Budgets::List => {
            for shown in budgets::list(app, by).await? {
                let (name, used, anew) = (&shown.name, shown.used, shown.starts_anew);
                say!("{name}  {}  used {used}, anew at {anew:.0?}", serde_json::to_string(&shown.budget)?);
                shown.used_by.iter().for_each(|(caller, used)| say!("    {caller}: {used}"));
            }
        }
        Budgets::Set { name, budget } => {
            let budget: Budget = serde_json::from_str(&budget).context("the budget")?;
            budgets::put(app, by, &name, budget).await?;
            say!("`{name}` is set. Running servers follow within five seconds.");
        }
        Budgets::Remove { name } => {
            let removed = budgets::remove(app, by, &name).await?;
            say!("{}", if removed { "removed" } else { "there is no such budget" });
        }
    }
    Ok(())
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    match command {
        Command::List => {
            for row in policy::list(&app, &by).await? {
                let state = if row.enabled { "" } else { "  (off)" };
                say!("{:>3}  {}  {}{state}", row.position, row.name, row.rule);
            }
        }
        Command::Set { name, rule, position, off } => {
            let rule: Rule = serde_json::from_str(&rule).context("the rule")?;
            policy::put(&app, &by, &name, rule, position, !off).await?;
            say!("`{name}` is set. Running servers follow within five seconds.");
        }
        Command::Budget(command) => budget(&app, &by, command).await?,
        Command::Remove { name } => {
            let removed = policy::remove(&app, &by, &name).await?;
            say!("{}", if removed { "removed" } else { "there is no such rule" });
        }
        Command::Test { tool, arguments, caller, name, at } => {
            let arguments = serde_json::from_str(&arguments).context("the arguments")?;
            let mut actor = if caller == "person" { by } else { Actor::stdio().of(tenant) };
            actor.kind = if caller == "person" { ActorKind::Person } else { ActorKind::Agent };
            if let Some(name) = name {
                (actor.id, actor.name) = (name.clone(), name);
            }
            let at = at.unwrap_or_else(|| app.clock.now());
            print!("{}", test(&app, &tool, &arguments, &actor, at).await?);
        }
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn test(
    app: &server::app::App,
    tool: &str,
    arguments: &serde_json::Value,
    actor: &Actor,
    at: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<String> {
    let entry = app.tools.find(tool).with_context(|| format!("there is no tool `{tool}`"))?;
    let rules = app.policy.rules(&app.store.tenant(&actor.tenant)).await?;
    let (decision, steps) = app.policy.explain(&rules, &Question::of(entry, arguments, actor, at));
    let mut text = String::new();
    if let Err(e) = entry.validate(arguments) {
        text.push_str(&format!("The call itself would be refused: {e}\n"));
    }
    for (number, step) in steps.iter().enumerate() {
        let fits = if step.fits { "decides" } else { "passes" };
        let why = step.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        text.push_str(&format!("rule {} `{}` {fits}{why}\n", number + 1, step.rule));
    }
    text.push_str(&match decision {
        Decision::Allow => "→ allowed\n".to_owned(),
        Decision::Deny(why) => format!("→ denied: {why}\n"),
        Decision::Ask(why, asks) => {
            let who = if asks.own { "" } else { ", not the one who asked" };
            format!("→ a person is asked: {why} ({} to say yes{who})\n", asks.people)
        }
    });
    Ok(text)
}
