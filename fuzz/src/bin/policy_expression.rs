//! A rule's condition: whatever is written there is read or refused, and holds, does not, or cannot be told; in bounded
//! time and without failing badly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sdk::Effect;
use serde_json::json;
use server::actor::Actor;
use server::policy::{Decision, Policy, Question, Rule, Rules, Says};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let rule = Rule { when: Some(text.to_owned()), decision: Says::Allow, ..Rule::default() };
    let Ok(rules) = Rules::read([("fuzz".to_owned(), rule)]) else { return };
    let Ok(policy) = Policy::new(&Default::default()) else { return };
    let (arguments, actor) = (json!({"amount": 500.5, "to": "a@b.example", "lines": [{"price": 3}]}), Actor::stdio());
    let question = Question {
        tool: "quickbooks.void_invoice",
        ecosystem: "quickbooks",
        effect: Effect::Destructive,
        is_dry_run: false,
        varies: false,
        arguments: &arguments,
        actor: &actor,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    // No condition, however it ends, lets an agent destroy unless its rule names that effect.
    assert!(policy.decide(&rules, &question) != Decision::Allow);
});
