//! A rule's condition: an expression of the Common Expression Language (<https://cel.dev>) over the call.
//!
//! The language has no loops that do not end, no side effects and no access to anything but what it is given: `args`,
//! `tool`, `ecosystem`, `effect`, `caller` (`kind`, `id`, `name`, `door`) and `now` (`hour`, `minute`, `weekday` from 1,
//! Monday, and `date`). The name of an AI client that was let in is its id, because it calls itself what it likes.

use cel::{Context, ExecutionError, Program, Value};
use chrono::{DateTime, Datelike, Timelike, Utc};
use sdk::{Error, Result};
use serde_json::json;

use super::Question;

/// A longer expression is a programme, and belongs elsewhere.
const LONGEST: usize = 1_000;
/// Brackets within brackets. The parser takes some stack for each, and a stack that is used up ends the process.
const DEEPEST: usize = 12;
/// What looks at every element of a list. One within another would take as long as the lists multiplied.
const LOOPS: [&str; 6] = ["all", "exists", "exists_one", "existsOne", "filter", "map"];

pub struct Condition(Program);

impl Condition {
    /// Reads an expression. A misspelt name is found here as far as the expression is followed for a call without
    /// arguments; whether an argument is there is known at the call only.
    pub fn read(text: &str) -> Result<Condition> {
        if text.len() > LONGEST {
            return Err(Error::invalid_input(format!("a condition has at most {LONGEST} letters")));
        }
        let wrong = |why: String| Error::invalid_input(format!("the condition `{text}`: {why}"));
        is_bounded(text).map_err(|why| wrong(why.into()))?;
        let condition = Condition(Program::compile(text).map_err(|e| wrong(e.to_string()))?);
        match condition.0.execute(&context(&json!({}), &json!({}), &json!({}))?) {
            Err(ExecutionError::UndeclaredReference(name)) => {
                Err(wrong(format!("there is no `{name}`; there are args, tool, ecosystem, effect, caller and now")))
            }
            _ => Ok(condition),
        }
    }

    /// Whether the call is meant; the error says why that cannot be told.
    pub fn holds(&self, question: &Question<'_>) -> Result<bool, String> {
        let actor = question.actor;
        let caller = json!({"kind": actor.kind, "id": actor.id, "name": actor.known_as(), "door": actor.door});
        let mut context = context(question.arguments, &caller, &moment(question.now)).map_err(|e| e.message)?;
        context.add_variable_from_value("tool", question.tool.to_owned());
        context.add_variable_from_value("ecosystem", question.ecosystem.to_owned());
        context.add_variable_from_value("effect", question.effect.as_str().to_owned());
        match self.0.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it is {}, and not true or false", other.type_of())),
            Err(e) => Err(e.to_string().chars().take(200).collect()),
        }
    }
}

/// Refuses what would take too much stack or time, before it is read. What stands in quotes counts as well: that only
/// refuses more.
fn is_bounded(text: &str) -> Result<(), &'static str> {
    let mut open: Vec<bool> = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => {
                let is_loop = letter == '(' && LOOPS.contains(&word.as_str());
                if is_loop && open.contains(&true) {
                    return Err("one list cannot be gone through within another");
                }
                open.push(is_loop);
                if open.len() > DEEPEST {
                    return Err("it is nested too deeply");
                }
            }
            ')' | ']' | '}' => drop(open.pop()),
            _ => {}
        }
        match letter {
            letter if letter.is_alphanumeric() || letter == '_' => word.push(letter),
            letter if letter.is_whitespace() => {}
            _ => word.clear(),
        }
    }
    Ok(())
}

fn moment(now: DateTime<Utc>) -> serde_json::Value {
    json!({
        "hour": now.hour(),
        "minute": now.minute(),
        "weekday": now.weekday().number_from_monday(),
        "date": now.date_naive().to_string(),
    })
}

/// Everything that an expression may name, with the words of the call empty.
fn context(
    args: &serde_json::Value,
    caller: &serde_json::Value,
    now: &serde_json::Value,
) -> Result<Context<'static, 'static>> {
    let mut context = Context::default();
    for (name, value) in [("args", args), ("caller", caller), ("now", now)] {
        let value = cel::to_value(value).map_err(|e| Error::invalid_input(format!("`{name}` cannot be read: {e}")))?;
        context.add_variable_from_value(name, value);
    }
    for name in ["tool", "ecosystem", "effect"] {
        context.add_variable_from_value(name, String::new());
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use sdk::Effect;

    fn holds(text: &str, arguments: serde_json::Value) -> Result<bool, String> {
        let question = Question {
            tool: "quickbooks.create_draft_invoice",
            ecosystem: "quickbooks",
            effect: Effect::Write,
            is_dry_run: false,
            varies: false,
            arguments: &arguments,
            actor: &Actor::stdio(),
            now: "2026-11-20T19:30:00Z".parse().unwrap(),
        };
        Condition::read(text).unwrap().holds(&question)
    }

    #[test]
    fn conditions_see_the_call() {
        let lines = json!({"amount": 500.5, "lines": [{"price": 3}, {"price": 900}], "to": "dana@acme.example"});
        for (text, expected) in [
            ("args.amount > 500", true),
            ("args.amount > 501", false),
            ("args.lines.exists(line, line.price > 500)", true),
            ("args.lines.all(line, line.price > 500)", false),
            ("!args.to.endsWith('@acme.example')", false),
            ("has(args.discount) && args.discount > 10", false),
            ("now.hour >= 18 && now.weekday == 5", true),
            ("caller.kind == 'agent' && effect == 'write' && tool.startsWith('quickbooks.')", true),
            ("size(args.lines) * 2 == 4", true),
        ] {
            assert_eq!(holds(text, lines.clone()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_an_error_and_not_false() {
        assert!(holds("args.amount > 500", json!({})).is_err());
        assert!(holds("args.amount > 500", json!({"amount": "many"})).is_err());
        assert!(holds("args.amount", json!({"amount": 1})).unwrap_err().contains("not true or false"));
        assert!(holds("args.amount / 0 > 1", json!({"amount": 1})).is_err());
    }

    #[test]
    fn what_would_take_too_much_stack_or_time_is_refused() {
        let list = "[1, 1, 1, 1, 1, 1]";
        for text in [
            "(".repeat(300),
            "[".repeat(300),
            "{".repeat(300),
            format!("{}1{}", "(".repeat(13), ")".repeat(13)),
            format!("{list}.all(a, {list}.exists (b, {list}.map(c, c) == []))"),
        ] {
            let Err(e) = Condition::read(&text) else { panic!("{text} was read") };
            assert!(e.message.contains("nested") || e.message.contains("within another"), "{e}");
        }
        for text in ["!".repeat(900), "-".repeat(900), "args.".repeat(180), "1+".repeat(450), "a?b:".repeat(200)] {
            drop(Condition::read(&text));
        }
        assert!(Condition::read("args.lines.all(l, l.price > 1) && args.lines.exists(l, l.price > 500)").is_ok());
    }

    #[test]
    fn what_is_no_condition_is_named() {
        for (text, named) in [("args.amount >", ""), ("amount > 5", "`amount`"), (&"1 + ".repeat(400), "1000")] {
            let Err(e) = Condition::read(text) else { panic!("{text} was read") };
            assert!(e.message.contains(named), "{e}");
        }
    }
}
