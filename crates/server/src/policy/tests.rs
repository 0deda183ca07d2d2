use serde_json::json;

use super::*;

fn rules(list: &[(&str, Value)]) -> Rules {
    Rules::read(list.iter().map(|(name, rule)| ((*name).to_owned(), serde_json::from_value(rule.clone()).unwrap())))
        .unwrap()
}

fn policy(change: impl FnOnce(&mut config::Policy)) -> Policy {
    let mut config = config::Policy::default();
    change(&mut config);
    Policy::new(&config).unwrap()
}

fn question<'a>(tool: &'a str, effect: Effect, arguments: &'a Value, actor: &'a Actor) -> Question<'a> {
    let ecosystem = tool.split('.').next().unwrap();
    // A Friday evening.
    let now = "2026-11-20T19:30:00Z".parse().unwrap();
    Question { tool, ecosystem, effect, is_dry_run: false, varies: false, arguments, actor, now }
}

fn invoice(rules: &Rules, arguments: Value) -> Decision {
    let actor = Actor::stdio();
    policy(|_| {}).decide(rules, &question("quickbooks.create_draft_invoice", Effect::Write, &arguments, &actor))
}

#[test]
fn without_rules_agents_ask_and_people_write() {
    let (none, nothing) = (Rules::default(), json!({}));
    let (agent, person) = (Actor::stdio(), Actor::terminal());
    let ask = |effect, actor| policy(|_| {}).decide(&none, &question("godaddy.dns_apply", effect, &nothing, actor));
    assert_eq!(ask(Effect::Read, &agent), Decision::Allow);
    assert_eq!(ask(Effect::Internal, &agent), Decision::Allow);
    assert!(matches!(ask(Effect::Write, &agent), Decision::Ask(..)));
    assert_eq!(ask(Effect::Write, &person), Decision::Allow);
    assert!(matches!(ask(Effect::Destructive, &person), Decision::Ask(..)));
}

#[test]
fn the_first_rule_that_fits_decides_and_says_so() {
    let rules = rules(&[
        ("large invoices", json!({"tools": ["quickbooks.*"], "when": "args.amount > 5000", "decision": "deny"})),
        (
            "invoices",
            json!({"tools": ["quickbooks.create_*"], "when": "args.amount > 500", "asks": {"people": 2, "own": false}}),
        ),
        ("small invoices", json!({"tools": ["quickbooks.create_*"], "decision": "allow"})),
    ]);
    let Decision::Deny(why) = invoice(&rules, json!({"amount": 5001})) else { panic!() };
    assert_eq!(why, "denied because of rule 1, `large invoices`");
    let Decision::Ask(why, asks) = invoice(&rules, json!({"amount": 501})) else { panic!() };
    assert_eq!(why, "asked because of rule 2, `invoices`");
    assert_eq!(asks, Asks { people: 2, own: false, ..Asks::default() });
    assert_eq!(invoice(&rules, json!({"amount": 500})), Decision::Allow);
}

#[test]
fn what_cannot_be_told_is_never_allowed() {
    let condition = json!("args.amount < 500");
    let of = |decision: &str| rules(&[("limit", json!({"when": condition, "decision": decision}))]);
    for arguments in [json!({}), json!({"amount": "a lot"}), json!({"amount": null}), json!({"amount": [1]})] {
        for (decision, expected) in [("allow", "asked"), ("ask", "asked"), ("deny", "denied")] {
            let why = match invoice(&of(decision), arguments.clone()) {
                Decision::Allow => panic!("{arguments} was allowed"),
                Decision::Ask(why, _) | Decision::Deny(why) => why,
            };
            assert!(why.starts_with(expected) && why.contains("cannot be told"), "{why}");
        }
    }
}

#[test]
fn what_destroys_is_allowed_only_by_a_rule_that_names_it() {
    let (actor, nothing) = (Actor::terminal(), json!({}));
    let delete = |rules: &Rules| {
        policy(|_| {}).decide(rules, &question("cloudflare.dns_delete", Effect::Destructive, &nothing, &actor))
    };
    assert!(matches!(delete(&rules(&[("all", json!({"decision": "allow"}))])), Decision::Ask(..)));
    let named = rules(&[("all", json!({"effects": ["destructive"], "decision": "allow"}))]);
    assert_eq!(delete(&named), Decision::Allow);
}

#[test]
fn a_star_does_not_allow_what_stands_for_hundreds_of_operations() {
    let (actor, nothing) = (Actor::stdio(), json!({}));
    let asked = |effect| Question { varies: true, ..question("quickbooks.call_operation", effect, &nothing, &actor) };
    let decide = |tools: Value, effect| {
        policy(|_| {}).decide(&rules(&[("all", json!({"tools": tools, "decision": "allow"}))]), &asked(effect))
    };
    assert!(matches!(decide(json!(["quickbooks.*"]), Effect::Write), Decision::Ask(..)));
    assert_eq!(decide(json!(["quickbooks.*"]), Effect::Read), Decision::Allow);
    assert_eq!(decide(json!(["quickbooks.call_operation"]), Effect::Write), Decision::Allow);
}

#[test]
fn a_dry_run_of_what_is_asked_for_is_not_asked_for() {
    let (actor, arguments) = (Actor::stdio(), json!({"dry_run": true}));
    let asked = Question { is_dry_run: true, ..question("godaddy.dns_apply", Effect::Read, &arguments, &actor) };
    let ask = rules(&[("dns", json!({"tools": ["godaddy.*"]}))]);
    assert_eq!(policy(|_| {}).decide(&ask, &asked), Decision::Allow);
    let deny = rules(&[("dns", json!({"tools": ["godaddy.*"], "decision": "deny"}))]);
    assert!(matches!(policy(|_| {}).decide(&deny, &asked), Decision::Deny(_)));
}

#[test]
fn callers_and_hours_are_told_apart() {
    let rules = rules(&[
        (
            "the accountant's agent",
            json!({"callers": ["local agent"], "effects": ["write"], "decision": "allow",
            "window": {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}}),
        ),
        ("at night", json!({"effects": ["write"], "decision": "deny", "window": {"from": "18:00", "to": "08:00"}})),
    ]);
    let Decision::Deny(why) = invoice(&rules, json!({})) else { panic!() };
    assert!(why.contains("at night"), "{why}");
    let (_, steps) = policy(|_| {})
        .explain(&rules, &question("quickbooks.create_draft_invoice", Effect::Write, &json!({}), &Actor::stdio()));
    assert_eq!(steps[0].why.as_deref(), Some("another hour"));
    assert!(!steps[0].fits && steps[1].fits);
}

#[test]
fn the_configuration_comes_before_the_tenant() {
    let configured = policy(|config| config.deny = vec!["quickbooks.*".into()]);
    let allow = rules(&[("all", json!({"decision": "allow"}))]);
    let (arguments, actor) = (json!({}), Actor::stdio());
    let decision =
        configured.decide(&allow, &question("quickbooks.create_draft_invoice", Effect::Write, &arguments, &actor));
    assert_eq!(decision, Decision::Deny("denied because of rule 1, `quickbooks.*`".into()));
}

#[test]
fn a_rule_that_makes_no_sense_is_not_taken() {
    for (rule, named) in [
        (json!({"effects": ["writing"]}), "writing"),
        (json!({"when": "args.amount >"}), "condition"),
        (json!({"decision": "deny", "asks": {"people": 2}}), "asks"),
        (json!({"asks": {"people": 0}}), "one person"),
        (json!({"window": {"from": "8 o'clock"}}), "8 o'clock"),
    ] {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        let Err(e) = Rules::read([("one".to_owned(), rule)]) else { panic!("{named} was taken") };
        assert!(e.message.contains(named) && e.message.contains("`one`"), "{e}");
    }
    assert!(serde_json::from_value::<Rule>(json!({"tool": ["quickbooks.*"]})).is_err(), "a misspelt field is named");
}

/// A client may register under any name; a rule for a caller of that name is not about it.
#[test]
fn an_ai_client_is_known_by_its_id_and_not_by_what_it_calls_itself() {
    let nothing = json!({});
    let client = Actor { id: "oauth:0190".into(), name: "billing for Anna".into(), ..Actor::stdio() };
    let key = Actor { id: "0191".into(), ..client.clone() };
    let allows = |rule: Value, actor| {
        let rules = rules(&[("billing", rule)]);
        let asked = question("quickbooks.create_draft_invoice", Effect::Write, &nothing, actor);
        policy(|_| {}).decide(&rules, &asked) == Decision::Allow
    };
    for (rule, of_key, of_client) in [
        (json!({"callers": ["billing for Anna"], "decision": "allow"}), true, false),
        (json!({"when": "caller.name.startsWith('billing')", "decision": "allow"}), true, false),
        (json!({"callers": ["oauth:0190"], "decision": "allow"}), false, true),
        (json!({"callers": ["agent"], "decision": "allow"}), true, true),
    ] {
        assert_eq!((allows(rule.clone(), &key), allows(rule.clone(), &client)), (of_key, of_client), "{rule}");
    }
}
