//! What may happen without a person, what needs one, and what is refused.
//!
//! The default table: reads and changes to our own copy are allowed; writes by agents ask; writes
//! by a person are allowed; destructive calls always ask. Patterns in the configuration come first.
//! Whatever is unclear asks.

use sdk::{Effect, Error, Result};
use serde_json::Value;

use crate::actor::{Actor, ActorKind, Scope};
use crate::config;
use crate::tools::{Catalogue, Entry};

/// What the policy says to one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Allow,
    /// A person decides; the text says why.
    Ask(String),
    /// Refused; the text says why.
    Deny(String),
}

/// The rules of this installation.
pub struct Policy {
    deny: Vec<Pattern>,
    ask: Vec<Pattern>,
    allow: Vec<Pattern>,
}

impl Policy {
    pub fn new(config: &config::Policy) -> Policy {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern(text.clone())).collect();
        Policy { deny: patterns(&config.deny), ask: patterns(&config.ask), allow: patterns(&config.allow) }
    }

    /// A pattern that fits no tool is a mistake, and one in `deny` a dangerous one.
    pub fn check(&self, tools: &Catalogue) -> Result<()> {
        for pattern in self.deny.iter().chain(&self.ask).chain(&self.allow) {
            if !tools.iter().any(|tool| pattern.matches(&tool.id)) {
                let text = &pattern.0;
                return Err(Error::invalid_input(format!(
                    "the policy's pattern `{text}` fits no tool; ids look like gohighlevel.add_tags"
                )));
            }
        }
        Ok(())
    }

    /// Whether the answer to this tool may be that a person has to decide.
    pub fn may_ask(&self, tool: &str, effect: Effect) -> bool {
        effect.is_outward() || matching(&self.ask, tool).is_some()
    }

    /// Decides one call. Of the arguments the default table reads whether the call is a dry run.
    pub fn decide(&self, actor: &Actor, tool: &Entry, arguments: &Value) -> Decision {
        let effect = tool.spec.effect_of(arguments);
        let needed = if effect == Effect::Read { Scope::Read } else { Scope::Write };
        if !actor.may(needed) {
            return Decision::Deny(format!("the key `{}` has no `{}` scope", actor.name, needed.as_str()));
        }
        if let Some(rule) = matching(&self.deny, &tool.id) {
            return Decision::Deny(format!("the policy denies `{rule}`"));
        }
        // Our own sync does not wait for a person.
        let own = actor.kind == ActorKind::System && !effect.is_outward();
        let asked_what_would_be = effect != tool.spec.effect;
        if let Some(rule) = matching(&self.ask, &tool.id).filter(|_| !own && !asked_what_would_be) {
            return Decision::Ask(format!("the policy asks for `{rule}`"));
        }
        if matching(&self.allow, &tool.id).is_some() && effect != Effect::Destructive {
            return Decision::Allow;
        }
        match (effect, actor.kind) {
            (Effect::Read | Effect::Internal, _) => Decision::Allow,
            (Effect::Write, ActorKind::Person) => Decision::Allow,
            (Effect::Write, _) => Decision::Ask("agents ask before they write".into()),
            (Effect::Destructive, _) => Decision::Ask("destructive calls always ask".into()),
        }
    }
}

fn matching<'a>(patterns: &'a [Pattern], tool: &str) -> Option<&'a str> {
    patterns.iter().find(|pattern| pattern.matches(tool)).map(|pattern| pattern.0.as_str())
}

/// A tool id in which `*` stands for any letters.
struct Pattern(String);

impl Pattern {
    fn matches(&self, tool: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|start| tool.strip_prefix(start)) else { return false };
        let Some(end) = self.0.contains('*').then(|| self.0.rsplit('*').next().unwrap_or_default()) else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty() || tool.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_ids() {
        let matches = |pattern: &str, tool: &str| Pattern(pattern.into()).matches(tool);
        assert!(matches("gohighlevel.send_sms", "gohighlevel.send_sms"));
        assert!(!matches("gohighlevel.send", "gohighlevel.send_sms"));
        assert!(matches("gohighlevel.send_*", "gohighlevel.send_sms"));
        assert!(matches("*.send_*", "gohighlevel.send_sms"));
        assert!(matches("*", "gohighlevel.send_sms"));
        assert!(!matches("*.read_*", "gohighlevel.send_sms"));
        assert!(matches("*_sms", "gohighlevel.send_sms"));
        assert!(!matches("*_sm", "gohighlevel.send_sms"));
    }
}
