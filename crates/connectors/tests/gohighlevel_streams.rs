//! Walks over the streams where the vendor's side does what it should not.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use sdk::Page;
use sdk::stream::Fields;
use serde_json::{Value, json};
use support::{Reply, Vendor, cases, walk};

/// `count` contacts, the nth changed at minute n of a day, from the last to the first.
fn rows(count: u64) -> Vec<Value> {
    let row = |n: u64| {
        let changed = format!("2026-11-01T{:02}:{:02}:00Z", n / 60, n % 60);
        json!({"id": format!("C{n}"), "dateAdded": changed, "dateUpdated": changed, "searchAfter": [n]})
    };
    (0..count).rev().map(row).collect()
}

/// A search over rows that are sorted already: `searchAfter` is the number of the last row.
fn page(all: &[Value], body: &Value) -> Value {
    let after = body["searchAfter"][0].as_u64();
    let limit = usize::try_from(body["pageLimit"].as_u64().unwrap()).unwrap();
    let place = after.and_then(|after| all.iter().position(|row| row["searchAfter"][0] == after));
    let rows: Vec<_> = all.iter().skip(place.map_or(0, |place| place + 1)).take(limit).cloned().collect();
    json!({"contacts": rows, "total": all.len()})
}

async fn searching(all: Vec<Value>) -> Vendor {
    Vendor::start(move |sent, _| page(&all, &sent.body).into()).await
}

#[tokio::test]
async fn a_full_walk_sees_every_contact_once_and_ends_with_the_short_page() {
    let vendor = searching(rows(250)).await;
    let (records, batches) = walk(vendor.opening(), "contacts", None).await.unwrap();
    let ids: std::collections::BTreeSet<_> = records.iter().map(|record| record.id.clone()).collect();
    assert_eq!((records.len(), ids.len()), (250, 250));
    assert_eq!(batches.len(), 3);
    assert_eq!(batches[0].total, Some(250));
    let sent = vendor.sent();
    assert_eq!(sent[0].body["sort"], json!([{"field": "dateAdded", "direction": "desc"}]));
    assert_eq!(sent[0].body["pageLimit"], 100);
}

#[tokio::test]
async fn pages_shorter_than_asked_for_are_not_the_end() {
    let all = rows(90);
    let vendor = Vendor::start(move |sent, _| {
        let mut body = sent.body.clone();
        body["pageLimit"] = json!(40);
        page(&all, &body).into()
    })
    .await;
    let (records, batches) = walk(vendor.opening(), "contacts", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (90, 3));
}

#[tokio::test]
async fn an_incremental_walk_stops_at_the_first_old_row() {
    let vendor = searching(rows(500)).await;
    let since = "2026-11-01T06:00:00Z";
    let (records, batches) = walk(vendor.opening(), "contacts", Some(since)).await.unwrap();
    assert_eq!(records.len(), 140, "minutes 360 to 499");
    assert_eq!(batches.len(), 2);
    assert_eq!(vendor.sent()[0].body["sort"], json!([{"field": "dateUpdated", "direction": "desc"}]));
}

#[tokio::test]
async fn an_incremental_walk_goes_on_when_the_rows_are_not_in_order() {
    let mut all = rows(500);
    all.reverse();
    all.swap(3, 470);
    let vendor = searching(all).await;
    let (records, batches) = walk(vendor.opening(), "contacts", Some("2026-11-01T08:00:00Z")).await.unwrap();
    assert_eq!(records.len(), 20, "minutes 480 to 499");
    assert_eq!(batches.len(), 6, "a full page is never the end");
}

#[tokio::test]
async fn an_incremental_walk_does_not_trust_rows_without_a_date() {
    let mut all = rows(250);
    all[0]["dateUpdated"] = Value::Null;
    let vendor = searching(all).await;
    let (records, _) = walk(vendor.opening(), "contacts", Some("2026-11-01T03:20:00Z")).await.unwrap();
    assert_eq!(records.len(), 50, "minutes 200 to 249, one of them without a date");
    assert_eq!(vendor.sent().len(), 3);
}

#[tokio::test]
async fn a_repeated_cursor_and_an_empty_page_end_the_walk() {
    let same = Vendor::start(|_, _| {
        let rows: Vec<_> = (0..100).map(|n| json!({"id": n, "searchAfter": [7]})).collect();
        json!({"contacts": rows, "total": 100_000}).into()
    })
    .await;
    assert_eq!(walk(same.opening(), "contacts", None).await.unwrap().1.len(), 2);

    let empty = Vendor::start(|_, _| json!({"contacts": [], "total": 3}).into()).await;
    assert_eq!(walk(empty.opening(), "contacts", None).await.unwrap().1.len(), 1);
}

#[tokio::test]
async fn a_vendor_without_sort_values_is_paged_by_number() {
    let vendor = Vendor::start(|sent, _| {
        let page = sent.body["page"].as_u64().unwrap_or(1);
        let count = if page == 3 { 50 } else { 100 };
        let rows: Vec<_> = (0..count).map(|n| json!({"id": format!("{page}-{n}")})).collect();
        json!({"contacts": rows, "total": 250}).into()
    })
    .await;
    let (records, batches) = walk(vendor.opening(), "contacts", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (250, 3));
    assert_eq!(vendor.sent()[2].body["page"], 3);
}

#[tokio::test]
async fn a_walk_resumes_from_its_cursor_with_a_new_connection() {
    let vendor = searching(rows(250)).await;
    let stream = support::stream("contacts");
    let opened = stream.open(vendor.opening()).unwrap();
    let first = stream.fetch(&opened, Page::default()).await.unwrap();
    // The cursor lives in the store between two runs.
    let cursor: Value = serde_json::from_str(&first.next.unwrap().to_string()).unwrap();
    let opened = stream.open(vendor.opening()).unwrap();
    let (rest, _) =
        support::walk_from(&stream, &opened, Page { cursor: Some(cursor), ..Page::default() }).await.unwrap();
    assert_eq!(rest.len(), 150);
    assert_eq!(rest[0].id, "C149");
}

#[tokio::test]
async fn a_contact_brings_its_columns_and_keeps_the_vendors_json() {
    let mut row = cases::contact_row();
    row["unknownToday"] = json!({"kept": true});
    let kept = row.clone();
    let vendor = Vendor::start(move |_, _| json!({"contacts": [row, {"name": "no id"}], "total": 2}).into()).await;
    let (records, _) = walk(vendor.opening(), "contacts", None).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].data, kept);
    assert_eq!(records[0].updated_at, Some("2026-11-20T10:00:00Z".parse().unwrap()));
    let Fields::Contact(contact) = &records[0].fields else { panic!("not a contact") };
    assert_eq!(contact.name, "Ada Byron");
    assert_eq!(contact.first_name.as_deref(), Some("Ada"));
    assert_eq!(contact.kind.as_deref(), Some("lead"));
    assert_eq!(contact.last_activity, records[0].updated_at);
    assert_eq!(contact.created_at, Some("2026-11-01T10:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn v1_walks_by_its_own_cursor_and_never_follows_the_vendors_url() {
    let vendor = Vendor::start(|sent, _| {
        let page: u64 = sent.query.get("startAfter").map_or(0, |after| after.parse().unwrap());
        let count = if page == 2 { 6 } else { 100 };
        let row = |n| json!({"id": format!("{page}-{n}"), "contactName": "x", "dateUpdated": "2026-11-01T00:00:00Z"});
        let rows: Vec<_> = (0..count).map(row).collect();
        let next = if page == 2 { Value::Null } else { json!(page + 2) };
        json!({"contacts": rows, "meta": {"total": 206, "startAfter": page + 1, "startAfterId": format!("{page}-99"),
            "nextPage": next, "nextPageUrl": "http://127.0.0.1:9/leak"}})
        .into()
    })
    .await;
    let (records, batches) = walk(vendor.v1(), "contacts", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (206, 3));
    assert_eq!(batches[0].total, Some(206));
    assert!(vendor.sent().iter().all(|sent| sent.path == "/v1/contacts/" && sent.query["limit"] == "100"));
    // All rows are equally old: V1 is read to its end all the same, because it cannot sort.
    let (records, batches) = walk(vendor.v1(), "contacts", Some("2026-11-02T00:00:00Z")).await.unwrap();
    assert_eq!((records.len(), batches.len()), (0, 3));
}

#[tokio::test]
async fn opportunities_bring_the_names_of_their_places() {
    let vendor = Vendor::start(|sent, _| {
        Reply::from(match (sent.path.as_str(), sent.query.get("startAfterId")) {
            ("/opportunities/pipelines", _) => cases::pipelines(),
            (_, None) => {
                let mut rows = vec![cases::opportunity_row(); 100];
                rows.iter_mut().enumerate().for_each(|(n, row)| row["id"] = json!(format!("O{n}")));
                json!({"opportunities": rows, "meta": {"total": 101, "startAfter": 1, "startAfterId": "O99", "nextPage": 2}})
            }
            _ => json!({"opportunities": [cases::opportunity_row()], "meta": {"total": 101, "nextPage": null}}),
        })
    })
    .await;
    let (records, batches) = walk(vendor.opening(), "opportunities", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (101, 2));
    let Fields::Opportunity(deal) = &records[0].fields else { panic!("not an opportunity") };
    assert_eq!(deal.stage.as_deref(), Some("New"));
    assert_eq!(deal.pipeline.as_deref(), Some("Sales"));
    assert_eq!(deal.value, Some(1500.5));
    assert_eq!(deal.contact.as_deref(), Some("C1"));
    let pipelines = vendor.sent().iter().filter(|sent| sent.path == "/opportunities/pipelines").count();
    assert_eq!(pipelines, 1, "pipelines are asked for once a walk");
    let (none, _) = walk(vendor.opening(), "opportunities", Some("2026-11-03T00:00:00Z")).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn interactions_are_real_messages_of_all_channels() {
    let message = |id: &str, kind: &str, status: &str| {
        json!({"id": id, "messageType": kind, "status": status, "contactId": "C1", "direction": "inbound",
            "dateAdded": "2026-11-20T10:00:00Z", "body": "Hello"})
    };
    let vendor = Vendor::start(move |sent, _| {
        let email = sent.query.get("channel").map(String::as_str) == Some("Email");
        Reply::from(match (email, sent.query.get("cursor").map(String::as_str)) {
            (false, None) => json!({"messages": [message("1", "TYPE_SMS", "delivered"),
                message("2", "TYPE_ACTIVITY_CONTACT", "sent")], "nextCursor": "next==", "total": 4}),
            (false, _) => json!({"messages": [message("3", "TYPE_CALL", "connected"),
                message("4", "TYPE_SMS", "scheduled")], "nextCursor": null, "total": 4}),
            (true, _) => json!({"messages": [message("5", "TYPE_EMAIL", "sent")], "total": 1}),
        })
    })
    .await;
    let (records, batches) = walk(vendor.opening(), "interactions", Some("2026-11-19T00:00:00Z")).await.unwrap();
    let found: Vec<_> = records
        .iter()
        .map(|record| {
            let Fields::Interaction(interaction) = &record.fields else { panic!("not an interaction") };
            (record.id.as_str(), interaction.kind.as_str(), interaction.contact.as_str())
        })
        .collect();
    assert_eq!(found, [("1", "sms", "C1"), ("3", "call", "C1"), ("5", "email", "C1")]);
    assert_eq!(batches.len(), 3);
    assert_eq!(vendor.sent()[1].query["cursor"], "next==");
    assert_eq!(vendor.sent()[0].query["startDate"], "2026-11-19T00:00:00.000Z");
    assert!(!support::stream("interactions").complete && support::stream("contacts").complete);
}

/// A vendor without messages, with two calendars; `events` answers what one has in a window.
async fn booking(events: impl Fn(&str, i64, i64) -> Value + Send + Sync + 'static) -> Vendor {
    Vendor::start(move |sent, _| {
        Reply::from(match sent.path.as_str() {
            "/calendars/" => json!({"calendars": [{"id": "K1", "name": "Calls"}, {"id": "K2", "name": "Visits"}]}),
            "/calendars/events" => {
                let millis = |key: &str| sent.query[key].parse().unwrap();
                events(&sent.query["calendarId"], millis("startTime"), millis("endTime"))
            }
            _ => json!({"messages": [], "total": 0}),
        })
    })
    .await
}

fn event(id: &str, at: i64, status: &str) -> Value {
    let at = chrono::DateTime::from_timestamp_millis(at).unwrap().to_rfc3339();
    json!({"id": id, "contactId": "C1", "title": "Review of the month", "startTime": at, "appointmentStatus": status})
}

fn asked(vendor: &Vendor) -> Vec<(String, i64, i64)> {
    let windows = vendor.sent().into_iter().filter(|sent| sent.path == "/calendars/events");
    windows
        .map(|sent| {
            let millis = |key: &str| sent.query[key].parse().unwrap();
            (sent.query["calendarId"].clone(), millis("startTime"), millis("endTime"))
        })
        .collect()
}

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn appointments_that_took_place_are_interactions() {
    let vendor = booking(|calendar, _, to| {
        // Rows that the vendor gives although they lie behind the window's end are not believed.
        let rows = [
            ("held", -DAY, "showed"),
            ("open", -DAY, "confirmed"),
            ("off", -DAY, "cancelled"),
            ("nobody", -DAY, "noshow"),
            ("later", DAY, "confirmed"),
        ];
        let rows: Vec<_> = rows.iter().map(|(id, at, status)| event(id, to + at, status)).collect();
        json!({"events": if calendar == "K1" { rows } else { vec![] }})
    })
    .await;
    // The vendor's clock says the 21st, 20:00.
    let (records, _) = walk(vendor.opening(), "interactions", Some("2026-11-19T00:00:00Z")).await.unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["held", "open", "off", "nobody"]);
    // Those may have been copied before somebody noted it.
    assert!(records[2..].iter().all(|record| record.fields == Fields::Deleted));
    let Fields::Interaction(held) = &records[0].fields else { panic!("not an interaction") };
    assert_eq!((held.kind.as_str(), held.contact.as_str()), ("appointment", "C1"));
    assert_eq!((held.description.as_str(), Some(held.at)), ("Review of the month", records[0].updated_at));
    let asked = asked(&vendor);
    assert_eq!(asked.len(), 2, "one a calendar: {asked:?}");
    assert_eq!(vendor.sent().len(), 5, "messages, e-mails, calendars, and the two");
    let millis = |time: &str| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    assert_eq!((asked[0].1, asked[0].2), (millis("2026-11-19T00:00:00Z"), millis("2026-11-21T20:00:00Z")));
}

#[tokio::test]
async fn all_appointments_are_those_of_a_year_window_by_window() {
    let vendor =
        booking(|calendar, from, _| json!({"events": [event(&format!("{calendar}-{from}"), from, "showed")]})).await;
    let (records, batches) = walk(vendor.opening(), "interactions", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (8, 6), "two calendars and four windows, behind two empty exports");
    let asked = asked(&vendor);
    let windows: Vec<_> = asked.iter().filter(|(calendar, ..)| calendar == "K1").collect();
    assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].2), "no gap: {windows:?}");
    assert!(windows.iter().all(|(_, from, to)| to - from <= 92 * DAY));
    assert_eq!(windows[0].2 - windows[3].1, 365 * DAY);
    let listed = vendor.sent().iter().filter(|sent| sent.path == "/calendars/").count();
    assert_eq!(listed, 1, "calendars are listed once a walk");
}

#[tokio::test]
async fn messages_come_without_the_right_to_see_calendars() {
    let vendor = Vendor::start(|sent, _| match sent.path.as_str() {
        "/calendars/" => {
            Reply::Json(401, json!({"statusCode": 401, "message": "The token is not authorized for this scope."}))
        }
        _ => json!({"messages": [{"id": "1", "messageType": "TYPE_SMS", "contactId": "C1", "body": "Hello",
            "dateAdded": "2026-11-20T10:00:00Z"}], "total": 1})
        .into(),
    })
    .await;
    let (records, _) = walk(vendor.opening(), "interactions", None).await.unwrap();
    assert_eq!(records.len(), 2, "once without a channel and once for e-mail");
}

#[tokio::test]
async fn a_cursor_of_another_stream_is_refused() {
    let vendor = searching(rows(1)).await;
    let stream = support::stream("contacts");
    let opened = stream.open(vendor.opening()).unwrap();
    for cursor in [json!("text"), json!({"at": {"startAfter": "1", "startAfterId": "x"}, "seen": 1, "unsorted": false})]
    {
        let error = stream.fetch(&opened, Page { cursor: Some(cursor), ..Page::default() }).await.unwrap_err();
        assert_eq!(error.kind, sdk::Kind::InvalidInput, "{error}");
    }
}
