//! The brain on a real database, on both back ends.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::contacts::{self as rows, NewContact};
use store::interactions::{self, NewInteraction};
use store::opportunities::{self, NewOpportunity};
use store::testing::on_both;
use store::{Store, Tenant, sync_runs};
use uuid::Uuid;

use super::contacts::{NeedsFollowUp, Search, needs_follow_up, search};
use super::insights::Kind;
use super::memory::{RecordOutcome, SaveContext, record_outcome, save_context};
use super::report::{GetRecommendations, insights, recommendations};
use super::scoring::Warmth;
use super::view::{AnalyzeContact, View360, analyze, view_360};
use super::{freshness, pages, reference, rescore, stand_in, stats};

/// A Saturday.
fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn ago(days: i64) -> Option<DateTime<Utc>> {
    Some(now() - TimeDelta::days(days))
}

/// A contact with the usual fields: first name, last name, company.
fn contact(id: &str, name: &str, company: &str) -> NewContact {
    let first = name.split(' ').next().unwrap_or_default();
    NewContact {
        vendor_id: id.into(),
        data: json!({"id": id}),
        name: Some(name.into()),
        first_name: Some(first.into()),
        company: (!company.is_empty()).then(|| company.into()),
        email: Some(format!("{}@example.com", first.to_lowercase())),
        phone: Some("+15550100".into()),
        created_at: ago(100),
        importance: 5,
        ..NewContact::default()
    }
}

/// Seven contacts, each for a reason.
fn people() -> Vec<NewContact> {
    let lead = |contact: NewContact| NewContact { kind: Some("lead".into()), ..contact };
    let customer = |contact: NewContact| NewContact { kind: Some("customer".into()), ..contact };
    vec![
        NewContact {
            tags: vec!["vip".into(), "wholesale".into()],
            last_activity: ago(3),
            importance: 10,
            ..lead(contact("c-dana", "Dana Fitzgerald", "Acme Supply"))
        },
        NewContact {
            email: None,
            last_activity: ago(20),
            importance: 8,
            ..lead(contact("c-sam", "Sam Ortiz", "Acme Supply"))
        },
        NewContact { created_at: ago(2), importance: 5, ..customer(contact("c-sarah", "Sarah Lind", "Green Leaf")) },
        NewContact {
            extra_text: Some("Cannabis retail".into()),
            ..customer(contact("c-omar", "Omar Haddad", "Blue Ridge Dispensary"))
        },
        NewContact { phone: None, ..customer(contact("c-dana2", "Dana Whitfield", "Green Leaf")) },
        NewContact { last_activity: ago(400), ..customer(contact("c-yuki", "Yuki Tanaka", "")) },
        NewContact { tags: vec!["VIP".into()], importance: 6, ..contact("c-lena", "Lena Brandt", "Acme Supply") },
    ]
}

async fn talk(tenant: &Tenant, contact: &str, id: &str, days: i64) -> anyhow::Result<()> {
    let row = rows::by_vendor_id(tenant, "gohighlevel", contact).await?.unwrap();
    let talk = NewInteraction {
        contact_id: row.id,
        timestamp: now() - TimeDelta::days(days),
        interaction_type: "sms".into(),
        direction: Some("inbound".into()),
        description: Some(format!("message {id}\n# not a heading")),
        extra_data: None,
        ecosystem: "gohighlevel".into(),
        vendor_id: id.into(),
    };
    interactions::upsert_batch(tenant, &[talk]).await?;
    Ok(())
}

/// The contacts, four conversations, three deals and a finished sync.
async fn business(store: &Store) -> anyhow::Result<Tenant> {
    let tenant = store.tenant("main");
    let run = Uuid::now_v7();
    rows::upsert_batch(&tenant, "gohighlevel", run, &people(), now()).await?;
    talk(&tenant, "c-dana", "m1", 8).await?;
    talk(&tenant, "c-sarah", "m2", 1).await?;
    talk(&tenant, "c-omar", "m3", 45).await?;
    talk(&tenant, "c-dana2", "m4", 20).await?;
    let deal = |id: &str, contact: &str, status: &str, value| NewOpportunity {
        vendor_id: id.into(),
        contact_vendor_id: Some(contact.into()),
        data: json!({"id": id}),
        name: Some(format!("Deal {id}")),
        stage: Some("Offer".into()),
        status: Some(status.into()),
        value: Some(value),
        ..NewOpportunity::default()
    };
    let deals =
        [deal("d1", "c-omar", "open", 900.0), deal("d2", "c-omar", "won", 50.0), deal("d3", "c-sarah", "open", 10.0)];
    opportunities::upsert_batch(&tenant, "gohighlevel", run, &deals, now()).await?;
    sync_runs::start(&tenant, run, ("gohighlevel", "contacts"), "full", None, now() - TimeDelta::minutes(12)).await?;
    let progress = sync_runs::Progress { fetched: 7, created: 7, ..Default::default() };
    sync_runs::finish(&tenant, run, "done", None, &progress, now() - TimeDelta::minutes(11)).await?;
    sync_runs::put_cursor(&tenant, ("gohighlevel", "contacts"), ago(1), ago(0), now() - TimeDelta::minutes(11)).await?;
    Ok(tenant)
}

async fn ids(tenant: &Tenant, query: &str) -> Vec<String> {
    let args = Search { query: Some(query.into()), ..Search::default() };
    search(tenant, now(), args).await.unwrap().contacts.into_iter().map(|contact| contact.id).collect()
}

async fn sorted(tenant: &Tenant, query: &str) -> String {
    let mut found = ids(tenant, query).await;
    found.sort();
    found.join(" ")
}

#[tokio::test]
async fn questions_find_the_right_contacts() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let cases = [
            ("who is at acme supply", "c-dana c-lena c-sam"),
            ("leads", "c-dana c-sam"),
            ("leads without email", "c-sam"),
            ("customers without phone", "c-dana2"),
            ("customers with phone", "c-omar c-sarah c-yuki"),
            ("added this week", "c-sarah"),
            ("in the cannabis industry", "c-omar"),
            ("tagged vip", "c-dana c-lena"),
            ("tagged vip and wholesale", "c-dana"),
            ("not contacted in 30 days", "c-lena c-omar c-sam c-yuki"),
            ("contacted this week", "c-sarah"),
            ("never contacted", "c-lena c-sam c-yuki"),
            ("active in the last 7 days", "c-dana"),
            ("customers inactive for a year", "c-dana2 c-omar c-sarah c-yuki"),
            ("importance at least 8", "c-dana c-sam"),
            ("leads at acme supply not contacted in 7 days without email", "c-sam"),
        ];
        let mut wrong = Vec::new();
        for (query, expected) in cases {
            let found = sorted(&tenant, query).await;
            if found != expected {
                wrong.push(format!("{query}: {found} instead of {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        // Somebody with a similar name may follow, but the right one is first.
        for (query, first) in [
            ("dana from acme supply", "c-dana"),
            ("dana from green leaf", "c-dana2"),
            ("danna from acme suply", "c-dana"),
            ("Dana Fitzgerld", "c-dana"),
        ] {
            assert_eq!(ids(&tenant, query).await.first().map(String::as_str), Some(first), "{query}");
        }
        assert_eq!(ids(&tenant, "show me my latest contacts").await[0], "c-sarah");
        assert_eq!(ids(&tenant, "most important contacts").await[0], "c-dana");
        assert_eq!(ids(&tenant, "most important contacts at acme supply").await, ["c-dana", "c-sam", "c-lena"]);
        assert!(ids(&store.tenant("other"), "leads").await.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn answers_are_paged_and_say_what_was_understood() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let ask = |cursor| Search { query: Some("customers".into()), limit: Some(3), cursor };
        let first = search(&tenant, now(), ask(None)).await?;
        assert_eq!((first.contacts.len(), first.total, first.understood), (3, Some(4), vec!["customers".to_string()]));
        let open = Search { query: Some("contacts".into()), limit: Some(3), cursor: None };
        assert_eq!(search(&tenant, now(), open).await?.total, None);
        let counted = Search { query: Some("how many contacts do we have".into()), limit: Some(3), cursor: None };
        assert_eq!(search(&tenant, now(), counted).await?.total, Some(7));
        let second = search(&tenant, now(), ask(first.next_cursor)).await?;
        assert_eq!((second.contacts.len(), second.next_cursor), (1, None));
        let wrong = search(&tenant, now(), ask(Some("nonsense".into()))).await.unwrap_err();
        assert_eq!(wrong.kind, sdk::Kind::InvalidInput);
        let answer = serde_json::to_value(search(&tenant, now(), ask(None)).await?)?;
        assert_eq!(answer["contacts"][0]["type"], "customer");
        assert!(!answer.to_string().contains("null"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_contact_is_meant_by_id_or_by_a_name_that_only_one_has() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let vendor = reference::resolve(&tenant, now(), "c-dana2").await?;
        assert_eq!(reference::resolve(&tenant, now(), &vendor.id.to_string()).await?.vendor_id, "c-dana2");
        for name in ["Dana Fitzgerald", "dana from acme supply", "DANA FROM ACME SUPPLY", "Fitzgerald"] {
            assert_eq!(reference::resolve(&tenant, now(), name).await?.vendor_id, "c-dana", "{name}");
        }
        let error = reference::resolve(&tenant, now(), "dana").await.unwrap_err();
        assert_eq!(error.kind, sdk::Kind::Conflict);
        assert!(error.message.contains("Dana Fitzgerald, Acme Supply, lead (id c-dana)"), "{error}");
        assert!(error.message.contains("c-dana2"), "{error}");
        assert_eq!(reference::resolve(&tenant, now(), "Zebulon Xqwv").await.unwrap_err().kind, sdk::Kind::NotFound);
        store::vendor_rows::mark_deleted(&tenant, "contacts", "gohighlevel", &["c-dana"], now()).await?;
        assert_eq!(reference::resolve(&tenant, now(), "c-dana").await.unwrap_err().kind, sdk::Kind::NotFound);
        assert_eq!(reference::resolve(&tenant, now(), "dana").await?.vendor_id, "c-dana2");
        assert_eq!(
            reference::resolve(&store.tenant("other"), now(), "c-sam").await.unwrap_err().kind,
            sdk::Kind::NotFound
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_waits_is_named_with_the_reason() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let found = needs_follow_up(&tenant, now(), NeedsFollowUp { limit: None }).await?;
        let reasons: Vec<(&str, &str)> =
            found.contacts.iter().map(|one| (one.contact.id.as_str(), one.reason.as_str())).collect();
        assert_eq!(
            reasons,
            [("c-dana", "importance 10, last contact 8 days ago"), ("c-sam", "importance 8, never contacted"),]
        );
        assert_eq!(found.total, 2);
        let one = needs_follow_up(&tenant, now(), NeedsFollowUp { limit: Some(1) }).await?;
        assert_eq!((one.contacts.len(), one.total), (1, 2));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_customer_is_seen_with_formulas_sources_and_gaps() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let view = view_360(&tenant, now(), View360 { contact: "omar".into() }).await?;
        assert_eq!((view.importance.value, view.importance.formula.as_str()), (5, "5 (base) = 5"));
        assert_eq!((view.health.value, view.health.label), (70, Warmth::Cooling));
        assert_eq!((view.opportunities.open_value, view.opportunities.won), (900.0, 1));
        assert_eq!((view.interactions.total, view.interactions.last[0].age.as_str()), (1, "45 days ago"));
        assert_eq!(view.contact.origin.source, "gohighlevel");
        assert!(view.not_connected.iter().any(|one| one.system == "quickbooks"));
        assert_eq!(view.recommendations[0].id, "follow_up_opportunity");
        let empty = view_360(&tenant, now(), View360 { contact: "c-lena".into() }).await?;
        assert_eq!(serde_json::to_value(&empty.opportunities)?["open_value"].to_string(), "0.0");
        let analysis = analyze(&tenant, now(), AnalyzeContact { contact: "c-sam".into() }).await?;
        assert_eq!(analysis.importance.formula, "5 (base) + 2 (is a lead) + 1 (active in the last 30 days) = 8");
        assert!(analysis.findings.contains(&"no e-mail address".to_string()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_people_teach_is_found_by_and_kept() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let change = |json: serde_json::Value| serde_json::from_value::<SaveContext>(json).unwrap();
        let saved = save_context(
            &tenant,
            now(),
            change(json!({"contact": "c-yuki", "add_nicknames": ["The Fisherman"], "add_tags": ["Sushi"], "personal_notes": "likes tea"})),
        )
        .await?;
        assert_eq!(saved.context.nicknames, ["yuki", "the fisherman"]);
        assert_eq!(reference::resolve(&tenant, now(), "the fisherman").await?.vendor_id, "c-yuki");
        assert_eq!(sorted(&tenant, "tagged sushi").await, "c-yuki");
        let view = view_360(&tenant, now(), View360 { contact: "The Fisherman".into() }).await?;
        assert_eq!(view.context.known.personal_notes.as_deref(), Some("likes tea"));
        assert_eq!(view.importance.formula, "5 (base) + 1 (has tags) = 6");
        let nothing = save_context(&tenant, now(), change(json!({"contact": "c-yuki"}))).await.unwrap_err();
        assert_eq!(nothing.kind, sdk::Kind::InvalidInput);
        let removed = save_context(&tenant, now(), change(json!({"contact": "c-yuki", "personal_notes": ""}))).await?;
        assert_eq!(removed.context.personal_notes, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn advice_that_was_settled_is_not_repeated() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let ask = |contact: Option<&str>| GetRecommendations { contact: contact.map(str::to_owned), limit: None };
        let all = recommendations(&tenant, now(), ask(None)).await?;
        let first = &all.recommendations[0];
        assert_eq!((first.contact_id.as_str(), first.id.as_str(), first.priority), ("c-dana", "contact_now", 1));
        assert_eq!(all.contacts, 7);
        let done = RecordOutcome {
            contact: "c-dana".into(),
            recommendation: "contact_now".into(),
            acted: true,
            outcome: Some("left a message".into()),
        };
        record_outcome(&tenant, now(), done).await?;
        let later = recommendations(&tenant, now(), ask(None)).await?;
        assert_eq!(later.recommendations[0].contact_id, "c-sam");
        let own = recommendations(&tenant, now(), ask(Some("c-dana"))).await?;
        assert!(own.recommendations.iter().all(|one| one.id != "contact_now"));
        let after = recommendations(&tenant, now() + TimeDelta::days(15), ask(Some("c-dana"))).await?;
        assert_eq!(after.recommendations[0].id, "contact_now");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn insights_rest_on_rows() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let found = insights(&tenant, now()).await?;
        let of = |kind| found.insights.iter().find(|one| one.kind == kind).unwrap();
        assert_eq!(of(Kind::UrgentAttention).count, 2);
        assert_eq!((of(Kind::OpportunityAtRisk).count, of(Kind::OpportunityAtRisk).value), (1, Some(900.0)));
        assert_eq!(of(Kind::LeadsWithoutEmail).contacts[0].id, "c-sam");
        assert_eq!(of(Kind::NewThisWeek).contacts[0].id, "c-sarah");
        assert_eq!(of(Kind::CompanyClusters).groups[0].name, "Acme Supply");
        assert_eq!((found.contacts, found.as_of), (7, Some(now() - TimeDelta::minutes(11))));
        let empty = insights(&store.tenant("other"), now()).await?;
        assert!(empty.insights.is_empty() && empty.as_of.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn importance_follows_the_time() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        assert_eq!(rescore(&tenant, now()).await?, 0);
        // Three weeks later Dana was not active in the last 7 days any more, and Sam not in the last 30.
        assert_eq!(rescore(&tenant, now() + TimeDelta::days(21)).await?, 2);
        let dana = rows::by_vendor_id(&tenant, "gohighlevel", "c-dana").await?.unwrap();
        assert_eq!(dana.importance, 9);
        assert_eq!(rescore(&tenant, now() + TimeDelta::days(21)).await?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_copy_stands_in_with_its_age() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let ask = |tool: &'static str, arguments: serde_json::Value| {
            let tenant = tenant.clone();
            async move { stand_in(&tenant, tool, &arguments, now()).await.unwrap() }
        };
        let (data, as_of) = ask("gohighlevel.read_contacts", json!({"limit": 2})).await.unwrap();
        assert_eq!((data["contacts"][0]["id"].as_str(), data["total"].as_u64()), (Some("c-sarah"), Some(7)));
        assert_eq!(as_of, Some(now() - TimeDelta::minutes(11)));
        let (data, _) = ask("gohighlevel.read_contacts", json!({"query": "omar"})).await.unwrap();
        assert_eq!(data["contacts"][0]["id"], "c-omar");
        let (data, _) = ask("gohighlevel.get_contact", json!({"contact_id": "c-sam"})).await.unwrap();
        assert_eq!(data["contact"]["name"], "Sam Ortiz");
        assert!(ask("gohighlevel.get_contact", json!({"contact_id": "nobody"})).await.is_none());
        assert!(ask("gohighlevel.read_contacts", json!({"cursor": "x"})).await.is_none());
        assert!(ask("gohighlevel.list_opportunities", json!({})).await.is_none(), "opportunities were never synced");
        sync_runs::put_cursor(&tenant, ("gohighlevel", "opportunities"), None, ago(0), now()).await?;
        let (data, _) = ask("gohighlevel.list_opportunities", json!({"status": "open"})).await.unwrap();
        assert_eq!(data["opportunities"].as_array().map(Vec::len), Some(2));
        assert_eq!(data["opportunities"][0]["id"], "d1");
        assert!(stand_in(&store.tenant("other"), "gohighlevel.read_contacts", &json!({}), now()).await?.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_state_of_the_copy_is_told() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let found = stats::sync_stats(&tenant, now()).await?;
        assert_eq!((found.contacts, found.contacts_with_email, found.streams.len()), (7, 6, 1));
        assert_eq!(found.streams[0].last_run.as_ref().map(|run| (run.fetched, run.created)), Some((7, 7)));
        assert!(found.notes.is_empty());
        let empty = stats::sync_stats(&store.tenant("other"), now()).await?;
        assert_eq!((empty.contacts, empty.notes.len()), (0, 1));
        assert_eq!(freshness(&store.tenant("other"), &[]).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn pages_hold_the_facts_and_no_foreign_headings() {
    on_both(|store| async move {
        let tenant = business(&store).await?;
        let call = pages::prepare_for_a_call(&tenant, now(), "omar").await?;
        assert!(call.contains("Deal d1, stage Offer, worth 900.00") && call.contains("45 days ago"), "{call}");
        assert!(!call.contains("\n# not a heading"), "{call}");
        let briefing = pages::daily_briefing(&tenant, now()).await?;
        assert!(briefing.contains("Needs attention: 2") && briefing.contains("(id c-dana)"), "{briefing}");
        assert!(pages::dashboard(&tenant, now()).await?.contains("7 contacts, 6 with e-mail"));
        assert!(pages::urgent_today(&tenant, now()).await?.contains("never contacted"));
        assert!(pages::recent_changes(&tenant, now()).await?.contains("fetched 7, created 7"));
        let empty = pages::daily_briefing(&store.tenant("other"), now()).await?;
        assert!(empty.contains("Nothing has been synced yet"), "{empty}");
        Ok(())
    })
    .await;
}

/// What a model reads must be short, and every schema one that all clients accept.
#[test]
fn tools_are_described_for_a_model() {
    for (ecosystem, tool) in super::tools::tools() {
        let text = &tool.spec.description;
        assert!((40..=330).contains(&text.len()), "{ecosystem}.{}: {} letters", tool.spec.name, text.len());
        let schema = serde_json::to_string(tool.spec.input.as_ref()).unwrap();
        for word in ["anyOf", "oneOf", "allOf", "$ref"] {
            assert!(!schema.contains(word), "{ecosystem}.{}: {word}", tool.spec.name);
        }
        assert_eq!(tool.spec.input["additionalProperties"], false);
    }
}
