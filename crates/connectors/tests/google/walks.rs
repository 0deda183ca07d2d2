//! What is copied from Google: documents and mails, the whole of them and then what changed.

use std::collections::BTreeSet;
use std::time::Duration;

use sdk::Page;
use sdk::stream::Fields;
use serde_json::{Value, json};

use crate::google::{open, run, start, walk};
use crate::{client, open_token, token};

#[tokio::test]
async fn documents_are_walked_and_what_goes_is_told() {
    let sandbox = start().await;
    let mut small = open(&sandbox, "walk");
    small.config["page_size"] = json!(20);
    let (records, batches) = walk(small.clone(), "documents", Page::default()).await.unwrap();
    let ids: BTreeSet<_> = records.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids.len(), records.len());
    assert!(records.len() > 60 && batches.iter().any(|batch| batch.records.is_empty()), "{}", records.len());
    let named = |name: &str| {
        let found = records.iter().find(|record| record.data["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}")).id.clone()
    };
    let owned = records.iter().all(|record| {
        matches!(&record.fields, Fields::Document(document)
        if document.owner_email.as_deref() == Some("rosalind@medtainer.example") && document.link.is_some())
    });
    assert!(owned && !records.iter().any(|record| record.data["name"] == "Price list (old)"));

    // A person renames one, bins one and deletes one for good.
    let base = open(&sandbox, "k").config["drive_url"].as_str().unwrap().to_owned();
    let start: Value = client()
        .get(format!("{base}/changes/startPageToken"))
        .bearer_auth(open_token(&sandbox))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    sandbox.skip(Duration::from_secs(5 * 24 * 3600));
    let all = token(&sandbox, "https://www.googleapis.com/auth/drive").await;
    for (name, change) in [("Brand book", json!({"name": "Brand book 2"})), ("Price list", json!({"trashed": true}))] {
        let url = format!("{base}/files/{}", named(name));
        assert!(client().patch(url).bearer_auth(&all).json(&change).send().await.unwrap().status().is_success());
    }
    let gone = format!("{base}/files/{}", named("Warehouse rules.txt"));
    assert!(client().delete(gone).bearer_auth(&all).send().await.unwrap().status().is_success());

    let since = Page { since: Some("2026-11-24T00:00:00Z".parse().unwrap()), ..Page::default() };
    let (changed, _) = walk(open(&sandbox, "since"), "documents", since).await.unwrap();
    // What is told twice is written once; what was deleted for good is told by the changes alone, from now on.
    let distinct: BTreeSet<_> = changed.iter().map(|record| &record.id).collect();
    assert_eq!(distinct.len(), 2, "{changed:#?}");
    let binned = changed.iter().find(|record| record.id == named("Price list")).unwrap();
    assert_eq!(binned.fields, Fields::Deleted);

    let cursor = json!({"changes": start["startPageToken"], "changing": true});
    let (changed, _) =
        walk(open(&sandbox, "changes"), "documents", Page { cursor: Some(cursor), ..Page::default() }).await.unwrap();
    let deleted: BTreeSet<_> =
        changed.iter().filter(|record| record.fields == Fields::Deleted).map(|record| record.id.clone()).collect();
    assert_eq!(deleted, BTreeSet::from([named("Price list"), named("Warehouse rules.txt")]));
    assert_eq!(changed.len(), 3);

    // The bookmark of the first walk brings the same in one request, and the one after that nothing.
    let since = Some("2026-11-24T00:00:00Z".parse().unwrap());
    let marked = |bookmark: &Option<String>| Page { since, bookmark: bookmark.clone(), ..Page::default() };
    let first = batches.last().unwrap().bookmark.clone();
    assert!(first.is_some());
    let (again, batches) = walk(open(&sandbox, "marked"), "documents", marked(&first)).await.unwrap();
    assert_eq!((again.len(), batches.len()), (3, 1), "{again:#?}");
    let second = batches[0].bookmark.clone();
    let (nothing, _) = walk(open(&sandbox, "nothing"), "documents", marked(&second)).await.unwrap();
    assert!(nothing.is_empty(), "{nothing:#?}");
    let unknown = Some("not-a-token".to_owned());
    let (by_time, batches) = walk(open(&sandbox, "unknown"), "documents", marked(&unknown)).await.unwrap();
    assert!(!by_time.is_empty() && batches.last().unwrap().bookmark == second, "{by_time:#?}");
}

#[tokio::test]
async fn mails_are_walked_as_headers() {
    let sandbox = start().await;
    let (records, _) = walk(open(&sandbox, "walk"), "messages", Page::default()).await.unwrap();
    assert!(records.len() > 10, "{}", records.len());
    for record in &records {
        let Fields::Message(message) = &record.fields else { panic!("{record:?}") };
        let me = "rosalind@medtainer.example";
        assert!(message.from.contains('@') && message.outbound == (message.from == me), "{message:?}");
        assert!(message.outbound || message.to == [me], "{message:?}");
        assert!(record.data["payload"].get("body").is_none(), "headers alone are kept");
    }
    let since = records[records.len() / 2].updated_at;
    let (fewer, _) = walk(open(&sandbox, "since"), "messages", Page { since, ..Page::default() }).await.unwrap();
    assert!(fewer.len() < records.len() && fewer.len() > records.len() / 2 - 5, "{} of {}", fewer.len(), records.len());
}

/// What came is told by the mailbox's history; when that is too old, by a search.
#[tokio::test]
async fn mails_after_a_walk_are_told_by_the_history() {
    let sandbox = start().await;
    let (all, batches) = walk(open(&sandbox, "walk"), "messages", Page::default()).await.unwrap();
    let bookmark = batches.last().unwrap().bookmark.clone();
    assert!(bookmark.is_some());
    let since = all.iter().filter_map(|record| record.updated_at).min();
    let marked = |bookmark: &Option<String>| Page { since, bookmark: bookmark.clone(), ..Page::default() };
    let mail = json!({"to": ["ada@example.com"], "subject": "After the walk", "body": "One."});
    run(open(&sandbox, "send"), "send_email", mail.clone()).await.unwrap();
    run(open(&sandbox, "draft"), "create_draft", mail).await.unwrap();
    let (came, batches) = walk(open(&sandbox, "marked"), "messages", marked(&bookmark)).await.unwrap();
    let subjects = came.iter().map(|record| match &record.fields {
        Fields::Message(message) => message.subject.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(subjects.collect::<Vec<_>>(), ["After the walk"], "the draft is none");
    let later = batches.last().unwrap().bookmark.clone();
    assert!(later > bookmark);
    sandbox.skip(Duration::from_secs(8 * 24 * 3600));
    let (searched, batches) = walk(open(&sandbox, "late"), "messages", marked(&bookmark)).await.unwrap();
    assert!(searched.len() > 1 && batches.last().unwrap().bookmark > later, "a search, with a new bookmark");
}
