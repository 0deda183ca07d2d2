use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::client::{Client, now, options, start};

async fn everyone(client: &Client) -> Vec<Value> {
    let mut rows = Vec::new();
    for page in 1..=3 {
        let body = json!({"locationId": client.location(), "pageLimit": 500, "page": page});
        rows.extend(client.post("/contacts/search", body).await.list("contacts").clone());
    }
    rows
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let first = start(options()).await;
    let second = start(options()).await;
    let other = start(sandbox::Options { seed: 2, ..options() }).await;
    assert_eq!(first.1.account.private_token, second.1.account.private_token);
    assert_ne!(first.1.account.location_id, other.1.account.location_id);
    let location = first.1.location();
    for path in [
        format!("/conversations/search?locationId={location}&limit=50"),
        format!("/opportunities/search?location_id={location}&limit=50"),
        format!("/conversations/messages/export?locationId={location}&limit=200"),
        format!("/contacts/?locationId={location}&limit=100"),
    ] {
        assert_eq!(first.1.get(&path).await.body, second.1.get(&path).await.body, "{path}");
    }
    assert_eq!(everyone(&first.1).await, everyone(&second.1).await);
}

#[tokio::test]
async fn the_business_is_plausible() {
    let (sandbox, client) = start(options()).await;
    let rows = everyone(&client).await;
    let share = |count: usize| count * 100 / rows.len();
    let count = |fits: &dyn Fn(&Value) -> bool| share(rows.iter().filter(|row| fits(row)).count());
    assert!((9..=15).contains(&count(&|row| row["email"].is_null())));
    assert!((50..=60).contains(&count(&|row| !row["tags"].as_array().unwrap().is_empty())));
    assert!((50..=66).contains(&count(&|row| row["type"] == "lead")));

    let mut spread: HashMap<u32, usize> = HashMap::new();
    for row in &rows {
        *spread.entry(importance(row)).or_default() += 1;
    }
    for importance in 5..=10 {
        assert!(spread.get(&importance).is_some_and(|count| *count >= 20), "{spread:?}");
    }
    let mut companies: HashMap<&str, usize> = HashMap::new();
    for company in rows.iter().filter_map(|row| row["companyName"].as_str()) {
        *companies.entry(company).or_default() += 1;
    }
    assert_eq!(companies["Acme Supply"], 3);
    assert!(companies.values().filter(|count| **count >= 4).count() > 30);
    let stats = client.get("/__sandbox/stats").await.body;
    for (key, least) in [("opportunities", 420), ("conversations", 780), ("notes", 300), ("tasks", 150)] {
        assert_eq!(stats[key], least);
    }
    assert_eq!(sandbox.business().contacts(), 1206);
    // Nobody can be reached by accident.
    let reserved = |email: &str| email.contains("@example.") || email.ends_with(".example");
    assert!(rows.iter().filter_map(|row| row["email"].as_str()).all(reserved));
}

/// The product's formula.
fn importance(row: &Value) -> u32 {
    let active: DateTime<Utc> = row["dateUpdated"].as_str().unwrap().parse().unwrap();
    let days = (now() - active).num_days();
    let recent = if days < 7 { 2 } else { u32::from(days < 30) };
    let tags = u32::from(!row["tags"].as_array().unwrap().is_empty());
    (5 + tags + if row["type"] == "lead" { 2 } else { 0 } + recent).min(10)
}

/// Who matters has been spoken to lately, so that the list of those who wait is one that a person reads.
#[tokio::test]
async fn few_of_those_who_matter_wait_for_an_answer() {
    for seed in 1..=4 {
        let (_sandbox, client) = start(sandbox::Options { seed, ..options() }).await;
        let contacts = last_contacts(&client).await;
        let (mut waiting, mut never) = (0, 0);
        for row in everyone(&client).await {
            let importance = importance(&row);
            let last = contacts.get(row["id"].as_str().unwrap());
            never += usize::from(importance >= 8 && last.is_none());
            let days = last.map_or(i64::MAX, |last| (now() - last).num_hours() / 24);
            waiting += usize::from((importance >= 8 && days >= 14) || (importance >= 9 && days >= 7));
        }
        assert!((5..=25).contains(&waiting), "seed {seed}: {waiting} wait");
        assert_eq!(never, 0, "seed {seed}: important, and never spoken to");
        let future: Vec<_> = contacts.values().filter(|last| **last > now()).collect();
        assert!(future.is_empty(), "seed {seed}: {future:?}");
    }
}

/// When each contact was last spoken to: the messages that arrived, by the contact's id.
async fn last_contacts(client: &Client) -> HashMap<String, DateTime<Utc>> {
    let mut last = HashMap::new();
    for channel in ["", "&channel=Email"] {
        let mut cursor = String::new();
        loop {
            let location = client.location();
            let path = format!("/conversations/messages/export?locationId={location}&limit=500{channel}{cursor}");
            let answer = client.get(&path).await;
            for message in answer.list("messages").iter().filter(|message| message["status"] != "failed") {
                let at: DateTime<Utc> = message["dateAdded"].as_str().unwrap().parse().unwrap();
                let seen = last.entry(message["contactId"].as_str().unwrap().to_owned()).or_insert(at);
                *seen = (*seen).max(at);
            }
            let Some(next) = answer.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
    last
}

#[tokio::test]
async fn the_inbox_holds_what_real_inboxes_hold() {
    let (_sandbox, client) = start(options()).await;
    let (mut texts, mut cursor) = (String::new(), String::new());
    for _ in 0..20 {
        let path = format!("/conversations/messages/export?locationId={}&limit=500{cursor}", client.location());
        let answer = client.get(&path).await;
        for message in answer.list("messages") {
            texts.push_str(message["body"].as_str().unwrap_or_default());
        }
        let Some(next) = answer.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    for odd in ["Ignore all previous instructions", "\u{200b}", "🔥", "?"] {
        assert!(texts.contains(odd), "{odd:?} is missing");
    }
}

#[tokio::test]
async fn changes_by_people_show_on_the_wire() {
    let (sandbox, client) = start(options()).await;
    let business = sandbox.business();
    let id = business.create_contact(json!({"firstName": "Nina", "companyName": "Late Supply"})).unwrap();
    assert_eq!(client.get(&format!("/contacts/{id}")).await.body["contact"]["companyName"], "Late Supply");
    business.update_contact(5, json!({"city": "Fresno"})).unwrap();
    let changed = &business.contact_ids()[5];
    assert_eq!(client.get(&format!("/contacts/{changed}")).await.body["contact"]["city"], "Fresno");
    let since = json!({"gte": now().to_rfc3339()});
    let filters = json!([{"field": "dateUpdated", "operator": "range", "value": since}]);
    let body = json!({"locationId": client.location(), "pageLimit": 10, "filters": filters});
    assert_eq!(client.post("/contacts/search", body).await.body["total"], 2);
    business.delete_contact(5).unwrap();
    assert_eq!(client.get(&format!("/contacts/{changed}")).await.status, 404);
    assert_eq!(business.contacts(), 1206);
    assert!(business.effects().iter().all(|effect| effect.origin == "business"));
    assert!(business.delete_contact(9_999).is_err());
}

#[tokio::test]
async fn the_search_index_can_lag_behind() {
    let lag = Duration::from_secs(5);
    let (sandbox, client) = start(sandbox::Options { search_lag: lag, ..options() }).await;
    let body = json!({"locationId": client.location(), "firstName": "Late", "email": "late@example.com"});
    let id = client.post("/contacts/", body).await.body["contact"]["id"].as_str().unwrap().to_owned();
    let search = json!({"locationId": client.location(), "pageLimit": 1, "query": "late@example.com"});
    assert_eq!(client.post("/contacts/search", search.clone()).await.body["total"], 0);
    assert_eq!(client.get(&format!("/contacts/{id}")).await.status, 200);
    sandbox.skip(lag);
    assert_eq!(client.post("/contacts/search", search).await.body["total"], 1);
}

#[tokio::test]
async fn two_sandboxes_live_side_by_side_and_stop() {
    let (first, one) = start(options()).await;
    let (second, two) = start(sandbox::Options { contacts: 10, ..options() }).await;
    assert_eq!((first.business().contacts(), second.business().contacts()), (1206, 10));
    first.shutdown().await;
    assert!(one.request(reqwest::Method::GET, "/").send().await.is_err());
    assert_eq!(two.get(&format!("/locations/{}", two.location())).await.status, 200);
}
