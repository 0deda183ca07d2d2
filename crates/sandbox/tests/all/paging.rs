use std::collections::HashSet;

use serde_json::{Value, json};

use super::client::{options, start, unlimited};

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn search_after_visits_every_contact_once() {
    let (_sandbox, client) = start(options()).await;
    for sort in [
        json!([]),
        json!([{"field": "dateUpdated", "direction": "asc"}]),
        json!([{"field": "companyName", "direction": "desc"}, {"field": "dateAdded", "direction": "asc"}]),
    ] {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut body = json!({"locationId": client.location(), "pageLimit": 100, "sort": sort});
            if !after.is_null() {
                body["searchAfter"] = after;
            }
            let answer = client.post("/contacts/search", body).await;
            assert_eq!(answer.body["total"], 1206);
            let rows = answer.list("contacts");
            let Some(last) = rows.last() else { break };
            after = last["searchAfter"].clone();
            seen.extend(ids(rows));
            assert!(seen.len() <= 1206, "a page repeated");
        }
        assert_eq!(seen.len(), 1206, "{sort}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1206);
    }
}

#[tokio::test]
async fn pages_visit_every_contact_once_and_newest_first() {
    let (_sandbox, client) = start(options()).await;
    let mut seen = Vec::new();
    for page in 1..=4 {
        let body = json!({"locationId": client.location(), "pageLimit": 500, "page": page});
        seen.extend(client.post("/contacts/search", body).await.list("contacts").clone());
    }
    assert_eq!(ids(&seen).iter().collect::<HashSet<_>>().len(), 1206);
    assert!(seen.windows(2).all(|pair| pair[0]["dateAdded"].as_str() >= pair[1]["dateAdded"].as_str()));
}

#[tokio::test]
async fn pages_end_at_ten_thousand_and_cursors_do_not() {
    let (_sandbox, client) = start(sandbox::Options { contacts: 10_600, ..unlimited() }).await;
    let location = client.location();
    let last = json!({"locationId": location, "pageLimit": 500, "page": 20});
    assert_eq!(client.post("/contacts/search", last).await.list("contacts").len(), 500);
    let beyond = json!({"locationId": location, "pageLimit": 500, "page": 21});
    assert_eq!(client.post("/contacts/search", beyond).await.status, 400);

    let (mut seen, mut after) = (HashSet::new(), Value::Null);
    for _ in 0..22 {
        let mut body = json!({"locationId": location, "pageLimit": 500});
        if !after.is_null() {
            body["searchAfter"] = after.clone();
        }
        let answer = client.post("/contacts/search", body).await;
        let rows = answer.list("contacts");
        seen.extend(ids(rows));
        after = rows.last().unwrap()["searchAfter"].clone();
    }
    assert_eq!(seen.len(), 10_600);
}

#[tokio::test]
async fn the_deprecated_list_and_v1_page_by_start_after() {
    let (_sandbox, client) = start(options()).await;
    let v1 = client.bearing(&client.account.v1_key).speaking("");
    let (mut next, mut seen) = ("/v1/contacts/?limit=100".to_owned(), HashSet::new());
    for page in 0..13 {
        let answer = v1.get(&next).await;
        seen.extend(ids(answer.list("contacts")));
        let meta = &answer.body["meta"];
        assert_eq!(meta["total"], 1206);
        let (at, id) = (&meta["startAfter"], meta["startAfterId"].as_str().unwrap());
        next = format!("/v1/contacts/?limit=100&startAfter={at}&startAfterId={id}");
        assert_eq!(meta["nextPage"].is_null(), page == 12);
        assert!(page == 12 || meta["nextPageUrl"].as_str().unwrap().starts_with("http://"));
    }
    assert_eq!(seen.len(), 1206);
    assert_eq!(v1.get(&next).await.list("contacts").len(), 0);

    let list = format!("/contacts/?locationId={}&limit=100", client.location());
    let first = client.get(&list).await;
    let meta = &first.body["meta"];
    let (at, id) = (&meta["startAfter"], meta["startAfterId"].as_str().unwrap());
    let second = client.get(&format!("{list}&startAfter={at}&startAfterId={id}")).await;
    let both: HashSet<String> = ids(first.list("contacts")).into_iter().chain(ids(second.list("contacts"))).collect();
    assert_eq!(both.len(), 200);
}

#[tokio::test]
async fn filters_groups_and_queries_find_what_they_name() {
    let (_sandbox, client) = start(options()).await;
    let search = async |extra: Value| {
        let mut body = json!({"locationId": client.location(), "pageLimit": 500});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        client.post("/contacts/search", body).await
    };
    let acme = search(json!({"filters": [{"field": "companyName", "operator": "eq", "value": "Acme Supply"}]})).await;
    assert_eq!(acme.body["total"], 3);
    assert_eq!(search(json!({"query": "acme supply"})).await.body["total"], 3);

    let without = search(json!({"filters": [{"field": "email", "operator": "not_exists"}]})).await;
    let with = search(json!({"filters": [{"field": "email", "operator": "exists"}]})).await;
    let (without, with) = (without.body["total"].as_u64().unwrap(), with.body["total"].as_u64().unwrap());
    assert_eq!(without + with, 1206);
    assert!((90..=200).contains(&without), "{without}");

    let one = &acme.list("contacts")[0];
    let group = json!({"filters": [
        {"field": "companyName", "operator": "contains", "value": "acme"},
        {"group": "OR", "filters": [
            {"field": "id", "operator": "eq", "value": one["id"]},
            {"field": "firstNameLowerCase", "operator": "eq", "value": "nobody at all"},
        ]},
    ]});
    assert_eq!(ids(search(group).await.list("contacts")), [one["id"].as_str().unwrap()]);

    let since =
        json!({"filters": [{"field": "dateAdded", "operator": "range", "value": {"gte": "2026-10-22T00:00:00Z"}}]});
    let recent = search(since).await;
    let rows = recent.list("contacts");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["dateAdded"].as_str().unwrap() >= "2026-10-22"));
}

#[tokio::test]
async fn opportunities_conversations_and_messages_page() {
    let (_sandbox, client) = start(options()).await;
    let location = client.location();
    let mut seen = HashSet::new();
    for page in 1..=5 {
        let answer = client.get(&format!("/opportunities/search?location_id={location}&limit=100&page={page}")).await;
        seen.extend(ids(answer.list("opportunities")));
    }
    assert_eq!(seen.len(), 420);

    let (mut threads, mut after) = (HashSet::new(), String::new());
    for _ in 0..8 {
        let answer = client.get(&format!("/conversations/search?locationId={location}&limit=100{after}")).await;
        let rows = answer.list("conversations");
        threads.extend(ids(rows));
        after = format!("&startAfterDate={}", rows.last().unwrap()["lastMessageDate"]);
    }
    assert_eq!(threads.len(), 780);

    let (mut messages, mut cursor) = (HashSet::new(), String::new());
    for _ in 0..40 {
        let path = format!("/conversations/messages/export?locationId={location}&limit=500{cursor}");
        let answer = client.get(&path).await;
        messages.extend(ids(answer.list("messages")));
        let Some(next) = answer.body["nextCursor"].as_str() else {
            assert_eq!(answer.body["total"], messages.len());
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert!(messages.len() > 4_000, "{}", messages.len());
}
