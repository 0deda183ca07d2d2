//! A rule's condition: an expression of the Common Expression Language (<https://cel.dev>) over the call.
//!
//! The language has no loops that do not end, no side effects and no access to anything but what it is given: `args`,
//! `tool`, `ecosystem`, `effect`, `caller` (`kind`, `id`, `name`, `door`) and `now` (`hour`, `minute`, `weekday` from 1,
//! Monday, and `date`). The name of an AI client that was let in is its id, because it calls itself what it likes.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, MapExpr, StructExpr};
use cel::parser::Parser;
use cel::{Context, ExecutionError, ParseErrors, Value};
use chrono::{DateTime, Datelike, Timelike, Utc};
use sdk::{Error, Result};
use serde_json::json;

use super::Question;

/// A longer expression is a programme, and belongs elsewhere.
const LONGEST: usize = 1_000;
/// Brackets within brackets. The parser takes some stack for each, and a stack that is used up ends the process.
const BRACKETS: u16 = 12;
/// Operations within operations, also without brackets: `a + b + c` is one within another, while `&&` and `||` are spread
/// out. Each takes up to 40 kB of the stack of whoever asks.
const DEEPEST: usize = 16;
const TOO_DEEP: &str = "it is nested too deeply";
/// The parser's own stack, because a chain of a thousand letters is followed to its end before it is refused.
const STACK: usize = 16 << 20;

pub struct Condition(IdedExpr);

impl Condition {
    /// Reads an expression. A misspelt name is found here as far as the expression is followed for a call without
    /// arguments; whether an argument is there is known at the call only.
    pub fn read(text: &str) -> Result<Condition> {
        if text.len() > LONGEST {
            return Err(Error::invalid_input(format!("a condition has at most {LONGEST} letters")));
        }
        let wrong = |why: String| Error::invalid_input(format!("the condition `{text}`: {why}"));
        let condition = Condition(parsed(text).map_err(wrong)?);
        match Value::resolve(&condition.0, &context(&json!({}), &json!({}), &json!({}))?) {
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
        match Value::resolve(&self.0, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it is {}, and not true or false", other.type_of())),
            Err(e) => Err(e.to_string().chars().take(200).collect()),
        }
    }
}

/// Reads an expression, or says why not. What would take too much stack or time is refused.
fn parsed(text: &str) -> Result<IdedExpr, String> {
    let parse = || {
        let read = Parser::new().max_recursion_depth(BRACKETS).parse(text).map_err(|e| fault(&e))?;
        let measure = Measure { left: DEEPEST, in_loop: false };
        measure.fits(&read).map(|()| read)
    };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        let read = reader.map_err(|e| format!("it cannot be read just now: {e}"))?;
        read.join().map_err(|_| "it cannot be read".to_owned())?
    })
}

/// The first of them; those after it are about what the first has left behind, each with the text again.
fn fault(errors: &ParseErrors) -> String {
    let Some(first) = errors.errors.first() else { return "it cannot be read".into() };
    match first.msg.contains("Recursion limit") {
        true => TOO_DEEP.into(),
        false => format!("{} (at letter {})", first.msg, first.pos.1),
    }
}

/// What an expression may still be made of.
#[derive(Clone, Copy)]
struct Measure {
    left: usize,
    in_loop: bool,
}

impl Measure {
    fn fits(self, read: &IdedExpr) -> Result<(), String> {
        let left = self.left.checked_sub(1).ok_or(TOO_DEEP)?;
        let all = |measure: Measure, parts: &[&IdedExpr]| parts.iter().try_for_each(|part| measure.fits(part));
        let inner = Measure { left, ..self };
        match &read.expr {
            // One list within another would take as long as the lists multiplied, and what came of one may be a multiple
            // of it each time.
            Expr::Comprehension(_) if self.in_loop => {
                Err("one list cannot be gone through within another, nor what came of another".into())
            }
            Expr::Comprehension(looped) => all(
                Measure { left, in_loop: true },
                &[&looped.iter_range, &looped.accu_init, &looped.loop_cond, &looped.loop_step, &looped.result],
            ),
            Expr::Call(call) => {
                call.target.as_deref().into_iter().chain(&call.args).try_for_each(|part| inner.fits(part))
            }
            Expr::Select(select) => inner.fits(&select.operand),
            Expr::List(list) => list.elements.iter().try_for_each(|part| inner.fits(part)),
            Expr::Map(MapExpr { entries }) | Expr::Struct(StructExpr { entries, .. }) => {
                entries.iter().try_for_each(|entry| match &entry.expr {
                    EntryExpr::StructField(field) => inner.fits(&field.value),
                    EntryExpr::MapEntry(entry) => all(inner, &[&entry.key, &entry.value]),
                })
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }
}

fn moment(now: DateTime<Utc>) -> serde_json::Value {
    json!({
        "hour": now.hour(),
        "minute": now.minute(),
        "weekday": now.weekday().number_from_monday(),
        "date": now.date_naive().to_string(),
    })
}

/// Numbers as the language has those of JSON, whose kinds it does not mix: a price of 10.5 is multiplied by a quantity of 2.
fn doubles(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(doubles).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), doubles(value))).collect(),
        other => other.clone(),
    }
}

/// Everything that an expression may name, with the words of the call empty.
fn context(
    args: &serde_json::Value,
    caller: &serde_json::Value,
    now: &serde_json::Value,
) -> Result<Context<'static, 'static>> {
    let mut context = Context::default();
    for (name, value) in [("args", &doubles(args)), ("caller", caller), ("now", now)] {
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
            ("args.lines.exists(line, line.price * args.amount > 450000)", true),
            ("args.lines[0].price == 3 && args.lines[0].price in [3, 4]", true),
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
        for deep in
            ["(".repeat(300), "[".repeat(300), "{".repeat(300), format!("{}1{}", "(".repeat(14), ")".repeat(14))]
        {
            assert!(Condition::read(&deep).is_err(), "{deep}");
        }
        // Brackets in quotes do not close anything.
        let quoted = format!("{}true{}", r#"(")" == "" || "#.repeat(40), ")".repeat(40));
        assert!(Condition::read(&quoted).is_err());
        let list = "[1, 1, 1, 1, 1, 1, 1, 1]";
        let in_quotes = format!("{}true{}", format!(r#"{list}.all(a, ")" != "" && "#).repeat(8), ")".repeat(8));
        for looped in [
            format!("{list}.all(a, {list}.exists (b, {list}.map(c, c) == []))"),
            format!("{list}{}.size() > 0", ".map(a, [a, a])".repeat(20)),
            format!("size([{list}.map(a, {{'b': {list}.map(b, b)}})]) == 1"),
            in_quotes,
        ] {
            let Err(e) = Condition::read(&looped) else { panic!("{looped} was read") };
            assert!(e.message.contains("within another") || e.message.contains("nested"), "{e}");
        }
        for chain in ["+1", "==1", " in 1", "[0]", ".a", ".a()", "?1:1"] {
            let long = format!("args{}", chain.repeat(990 / chain.len()));
            let Err(e) = Condition::read(&long) else { panic!("{long} was read") };
            assert!(e.message.contains("nested too deeply"), "{e}");
        }
        for text in ["!".repeat(900), "-".repeat(900), "args.".repeat(180), "1+".repeat(450), "a?b:".repeat(200)] {
            drop(Condition::read(&text));
        }
        // As deep as it may be, it is asked where calls are.
        let deep = format!("args.amount{} > 0", "+1.0".repeat(12));
        assert_eq!(holds(&deep, json!({"amount": 1})), Ok(true));
        let wide = format!("true{}", " && args.amount > 0".repeat(40));
        assert_eq!(holds(&wide, json!({"amount": 1})), Ok(true));
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
