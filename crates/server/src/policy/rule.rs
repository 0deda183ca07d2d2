//! One rule as people write it, and as it is asked.

use sdk::{Effect, Error, Result};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::pattern::Pattern;
use super::{Question, window::Window};
use crate::actor::{Actor, ActorKind, Role};

/// A rule of the policy: which calls it is about, and what it says to them. What is left out is everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Tool ids in which `*` stands for any letters, such as `quickbooks.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// `read`, `internal`, `write`, `destructive`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// `agent`, `person`, `system`, or the id or name of one caller; of an AI client that was let in the id alone
    /// (`oauth:` and what `enterprise-mcp client list` shows), because it calls itself what it likes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
    /// An expression over the call, such as `args.lines.exists(line, line.unit_price > 500)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The hours in which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    pub decision: Says,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Allow,
    #[default]
    Ask,
    Deny,
}

/// How people are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Asks {
    /// The roles that may decide; empty is every role that may decide at all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// How many people have to say yes. Where it is more than one, keys are none of them.
    pub people: u8,
    /// Whether who asked, and whom that acts for, may say yes as well. Where not, neither may keys; an agent never says
    /// yes to what it asked for itself.
    pub own: bool,
    /// Whether who decides has to prove a second factor with the decision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// How long it waits; silence is never consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
}

impl Default for Asks {
    fn default() -> Asks {
        Asks { roles: Vec::new(), people: 1, own: true, second_factor: false, minutes: None }
    }
}

/// A rule that was read and can be asked.
pub struct Ready {
    pub name: String,
    pub rule: Rule,
    tools: Vec<Pattern>,
    effects: Vec<Effect>,
    condition: Option<Condition>,
}

/// What a rule is to a call.
#[derive(Debug, PartialEq)]
pub enum Fit {
    /// It is about this call.
    Yes,
    /// It is not, because of this.
    No(&'static str),
    /// It may be; it cannot be told.
    Unclear(String),
}

impl Ready {
    /// Reads a rule; the error says what is wrong with it.
    pub fn read(name: &str, rule: Rule) -> Result<Ready> {
        let wrong = |why: String| Error::invalid_input(format!("the rule `{name}`: {why}"));
        let effects: Result<Vec<Effect>> = rule
            .effects
            .iter()
            .map(|text| effect(text).ok_or_else(|| wrong(format!("there is no effect `{text}`"))))
            .collect();
        let condition = rule.when.as_deref().map(Condition::read).transpose().map_err(|e| wrong(e.message))?;
        if let Some(window) = &rule.window {
            window.check().map_err(wrong)?;
        }
        let asks = rule.asks.as_ref();
        if let Some(role) = asks.and_then(|asks| asks.roles.iter().find(|role| Role::parse(role).is_none())) {
            return Err(wrong(format!("there is no role `{role}`; there are owner, admin, operator and viewer")));
        }
        if asks.is_some_and(|asks| asks.people == 0) {
            return Err(wrong("at least one person has to say yes".into()));
        }
        if asks.is_some() && rule.decision != Says::Ask {
            return Err(wrong("`asks` belongs to a rule that asks".into()));
        }
        let tools = rule.tools.iter().map(|text| Pattern(text.clone())).collect();
        Ok(Ready { name: name.to_owned(), tools, effects: effects?, condition, rule })
    }

    /// A pattern that fits none of these tools.
    pub fn idle_pattern<'a>(&self, tools: impl Iterator<Item = &'a str> + Clone) -> Option<&str> {
        let idle = |pattern: &&Pattern| !tools.clone().any(|tool| pattern.matches(tool));
        self.tools.iter().find(idle).map(|pattern| pattern.0.as_str())
    }

    /// Whether it could be about any call of this tool.
    pub fn concerns(&self, tool: &str) -> bool {
        self.tools.is_empty() || self.tools.iter().any(|pattern| pattern.matches(tool))
    }

    pub fn fits(&self, question: &Question<'_>) -> Fit {
        if !self.concerns(question.tool) {
            return Fit::No("another tool");
        }
        if !self.is_about(question.effect, question.is_dry_run) {
            return Fit::No("another effect");
        }
        if !self.rule.callers.is_empty() && !self.rule.callers.iter().any(|text| is_caller(text, question.actor)) {
            return Fit::No("another caller");
        }
        if self.rule.window.as_ref().is_some_and(|window| !window.holds(question.now)) {
            return Fit::No("another hour");
        }
        match self.condition.as_ref().map(|condition| condition.holds(question)) {
            None | Some(Ok(true)) => Fit::Yes,
            Some(Ok(false)) => Fit::No("its condition does not hold"),
            Some(Err(why)) => Fit::Unclear(why),
        }
    }

    /// A dry run changes nothing and is a read, but only a rule that names reads is about it: one for
    /// `quickbooks.create_invoice` means the invoice.
    fn is_about(&self, effect: Effect, is_dry_run: bool) -> bool {
        if self.effects.is_empty() {
            !is_dry_run || self.rule.decision == Says::Deny
        } else {
            self.effects.contains(&effect)
        }
    }

    /// What destroys is allowed only by a rule that names that effect, and what stands for hundreds of operations only by
    /// one that names the tool: a star does not reach that far.
    pub fn may_allow(&self, question: &Question<'_>) -> bool {
        let names_effect = self.effects.contains(&question.effect);
        let names_tool = self.tools.iter().any(|pattern| pattern.0 == question.tool);
        (question.effect != Effect::Destructive || names_effect)
            && (!question.varies || question.effect == Effect::Read || names_tool)
    }
}

fn effect(text: &str) -> Option<Effect> {
    [Effect::Read, Effect::Internal, Effect::Write, Effect::Destructive].into_iter().find(|one| one.as_str() == text)
}

fn is_caller(text: &str, actor: &Actor) -> bool {
    let kind = match actor.kind {
        ActorKind::Agent => "agent",
        ActorKind::Person => "person",
        ActorKind::System => "system",
    };
    text == kind || text == actor.id || text == actor.known_as()
}
