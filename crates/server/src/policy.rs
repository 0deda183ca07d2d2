//! What may happen without a person, what needs one, and what is refused.
//!
//! Rules are data, asked in their order: those of the configuration, then those of the tenant; the first that fits
//! decides. After them stands the default table: reads and changes to our own copy are allowed; writes by agents ask;
//! writes by a person are allowed; destructive calls ask, whoever makes them. Whatever is unclear asks or is refused.

mod rule;
mod condition;
mod window;
mod pattern;
mod rules;
mod budget;
pub mod budgets;

use chrono::{DateTime, Utc};
use sdk::{Effect, Error, Result};
use serde_json::Value;

use crate::actor::{Actor, ActorKind, Scope};
use crate::config;
use crate::tools::{Catalogue, Entry};

pub use budget::{Budget, Period};
pub use rule::{Asks, Rule, Says};
pub use rules::{Rules, list, put, remove};
pub use window::Window;

use rule::{Fit, Ready};
use rules::Cache;

/// What the policy says to one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Allow,
    /// A person decides; the text says why.
    Ask(String, Asks),
    /// Refused; the text says why.
    Deny(String),
}

/// The policy of this installation.
pub struct Policy {
    configured: Vec<Ready>,
    tenants: Cache,
}

/// A call as the rules see it.
pub struct Question<'a> {
    pub tool: &'a str,
    pub ecosystem: &'a str,
    /// What this very call does.
    pub effect: Effect,
    /// It only asks what would be.
    pub is_dry_run: bool,
    /// The tool stands for hundreds of operations.
    pub varies: bool,
    pub arguments: &'a Value,
    pub actor: &'a Actor,
    pub now: DateTime<Utc>,
}

/// What one rule was to a call.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "RuleStep")]
pub struct Step {
    pub rule: String,
    pub fits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl<'a> Question<'a> {
    pub fn of(tool: &'a Entry, arguments: &'a Value, actor: &'a Actor, now: DateTime<Utc>) -> Question<'a> {
        let (effect, is_dry_run) = (tool.spec.effect_of(arguments), tool.spec.is_dry_run(arguments));
        let varies = tool.spec.varying.is_some();
        Question { tool: &tool.id, ecosystem: tool.ecosystem, effect, is_dry_run, varies, arguments, actor, now }
    }
}

impl Policy {
    pub fn new(config: &config::Policy) -> Result<Policy> {
        let lists = [(&config.deny, Says::Deny), (&config.ask, Says::Ask), (&config.allow, Says::Allow)];
        let patterns = lists.into_iter().flat_map(|(texts, says)| texts.iter().map(move |text| (text, says)));
        let configured = patterns
            .map(|(text, decision)| Ready::read(text, Rule { tools: vec![text.clone()], decision, ..Rule::default() }));
        Ok(Policy { configured: configured.collect::<Result<_>>()?, tenants: Cache::default() })
    }

    /// A pattern that fits no tool is a mistake, and one in `deny` a dangerous one.
    pub fn check(&self, tools: &Catalogue) -> Result<()> {
        self.configured.iter().try_for_each(|rule| fits_any(rule, tools))
    }

    /// Whether the answer to this tool may be that a person has to decide.
    pub fn may_ask(&self, tool: &str, effect: Effect) -> bool {
        let asks = |rule: &Ready| rule.rule.decision != Says::Deny && rule.concerns(tool);
        effect.is_outward() || self.configured.iter().any(asks) || self.tenants.any(asks)
    }

    /// The rules of a tenant as they are now.
    pub async fn rules(&self, tenant: &store::Tenant) -> Result<Rules> {
        self.tenants.of(tenant).await
    }

    /// Decides one call.
    pub fn decide(&self, rules: &Rules, question: &Question<'_>) -> Decision {
        self.explain(rules, question).0
    }

    /// The decision, and what each rule was to it, up to the one that decided.
    pub fn explain(&self, rules: &Rules, question: &Question<'_>) -> (Decision, Vec<Step>) {
        let (mut steps, actor) = (Vec::new(), question.actor);
        if !actor.reaches_tool(question.tool) {
            return (Decision::Deny(format!("`{}` is not for the tools of {}", actor.name, question.ecosystem)), steps);
        }
        let needed = Scope::needed(question.effect);
        if !actor.may(needed) {
            let why = format!("the key `{}` has no `{}` scope", actor.name, needed.as_str());
            return (Decision::Deny(why), steps);
        }
        // Our own sync does not wait for a person.
        let is_own = actor.kind == ActorKind::System && !question.effect.is_outward();
        for (number, rule) in self.configured.iter().chain(rules.iter()).enumerate() {
            let fit = rule.fits(question);
            let decision =
                said(number + 1, rule, &fit, question).filter(|said| !(is_own && matches!(said, Decision::Ask(..))));
            let why = match fit {
                Fit::Yes => None,
                Fit::No(why) => Some(why.to_owned()),
                Fit::Unclear(why) => Some(why),
            };
            steps.push(Step { rule: rule.name.clone(), fits: decision.is_some(), why });
            if let Some(decision) = decision {
                return (decision, steps);
            }
        }
        (by_default(question), steps)
    }
}

/// What a rule says to a call that it fits. One that cannot be told is never the reason why something is allowed.
fn said(number: usize, rule: &Ready, fit: &Fit, question: &Question<'_>) -> Option<Decision> {
    let because = |said: &str| format!("{said} because of rule {number}, `{}`", rule.name);
    let unclear = |said: &str, why: &str| format!("{} which cannot be told for this call: {why}", because(said));
    let asks = || rule.rule.asks.clone().unwrap_or_default();
    match (rule.rule.decision, fit) {
        (_, Fit::No(_)) => None,
        (Says::Deny, Fit::Yes) => Some(Decision::Deny(because("denied"))),
        (Says::Deny, Fit::Unclear(why)) => Some(Decision::Deny(unclear("denied", why))),
        (Says::Ask, Fit::Yes) => Some(Decision::Ask(because("asked"), asks())),
        (Says::Ask | Says::Allow, Fit::Unclear(why)) => Some(Decision::Ask(unclear("asked", why), asks())),
        (Says::Allow, Fit::Yes) if !rule.may_allow(question) => None,
        (Says::Allow, Fit::Yes) => Some(Decision::Allow),
    }
}

fn by_default(question: &Question<'_>) -> Decision {
    match (question.effect, question.actor.kind) {
        (Effect::Read | Effect::Internal, _) => Decision::Allow,
        (Effect::Write, ActorKind::Person) => Decision::Allow,
        (Effect::Write, _) => Decision::Ask("agents ask before they write".into(), Asks::default()),
        (Effect::Destructive, _) => Decision::Ask("destructive calls always ask".into(), Asks::default()),
    }
}

fn fits_any(rule: &Ready, tools: &Catalogue) -> Result<()> {
    match rule.idle_pattern(tools.iter().map(|tool| tool.id.as_str())) {
        Some(text) => Err(Error::invalid_input(format!(
            "the policy's pattern `{text}` fits no tool; ids look like gohighlevel.add_tags"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
