//! The Google connector against the simulated business: real paging, lost replies, real tokens.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod google;
mod support;
#[path = "google/walks.rs"]
mod walks;

use std::time::Duration;

use google::{NOW, cases, contract, fails, of, open, opening, run, start};
use sandbox::{Fault, Sandbox};
use sdk::Kind;
use serde_json::{Value, json};

#[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// An access token for these scopes, as a service account gets it.
async fn token(sandbox: &Sandbox, scopes: &str) -> String {
    use base64::Engine;
    let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let now = NOW.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp() + 5 * 24 * 3600;
    let claims = json!({"iss": "robot@project.iam.gserviceaccount.com", "scope": scopes, "iat": now, "exp": now + 3600,
        "aud": "https://oauth2.googleapis.com/token", "sub": "rosalind@medtainer.example"});
    let assertion = format!("{}.{}.c2ln", part(json!({"alg": "RS256", "typ": "JWT", "kid": "1"})), part(claims));
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
    let url = format!("{}/google_workspace/token", sandbox.url());
    let answer: Value = client().post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn open_token(sandbox: &Sandbox) -> String {
    sandbox.account("google_workspace").unwrap().credentials["access_token"].clone()
}

async fn fault(sandbox: &Sandbox, method: &str, path: &str, fault: Value) {
    let rule = json!({"fault": fault, "times": 1, "method": method, "path": format!("/google_workspace{path}")});
    client().post(format!("{}/__sandbox/faults", sandbox.url())).json(&rule).send().await.unwrap();
}

fn effects(sandbox: &Sandbox, kind: &str) -> usize {
    sandbox.business().effects().iter().filter(|effect| effect.kind == kind).count()
}

async fn sheet(sandbox: &Sandbox, name: &str) -> Value {
    let found = run(open(sandbox, "key"), "list_assets", json!({"kind": "spreadsheet", "name": name})).await.unwrap();
    found["documents"][0]["id"].clone()
}

#[tokio::test]
async fn every_tool_works_against_the_business() {
    let sandbox = start().await;
    let call = async |tool: &str, arguments: Value| -> Value {
        let answer = run(open(&sandbox, "one"), tool, arguments).await;
        answer.unwrap_or_else(|error| panic!("{tool}: {error:?}"))
    };
    let first = call("list_assets", json!({"limit": 5})).await;
    let second = call("list_assets", json!({"limit": 5, "cursor": first["next_cursor"]})).await;
    assert_eq!(second["documents"].as_array().unwrap().len(), 5, "an empty page is passed over");
    assert_ne!(first["documents"][0]["id"], second["documents"][0]["id"]);

    let quotes = call("search_documents", json!({"query": "quote vials", "kind": "document"})).await;
    let text = call("read_document", json!({"document_id": quotes["documents"][0]["id"]})).await;
    assert!(text["text"].as_str().unwrap().starts_with("Quote for "), "{text:#}");
    assert!(text.to_string().len() < 8_000);
    let pdf = call("list_assets", json!({"kind": "pdf", "limit": 1})).await;
    let error = fails(open(&sandbox, "one"), "read_document", json!({"document_id": pdf["documents"][0]["id"]})).await;
    assert!(error.kind == Kind::InvalidInput && error.message.contains("open it at https://"), "{error}");

    let customers = sheet(&sandbox, "Customers").await;
    let rows = call("read_sheet", json!({"spreadsheet_id": customers, "limit": 3})).await;
    assert_eq!(rows["rows"][0], json!(["Name", "Company", "Email", "Phone", "City"]));
    let next =
        call("read_sheet", json!({"spreadsheet_id": customers, "limit": 3, "first_row": rows["next_row"]})).await;
    assert_eq!((&next["first_row"], next["rows"].as_array().unwrap().len()), (&json!(4), 3));

    let mails = call("list_messages", json!({"query": "in:inbox", "limit": 3})).await;
    assert_eq!(mails["messages"].as_array().unwrap().len(), 3);
    let mail = call("read_message", json!({"message_id": mails["messages"][0]["id"]})).await;
    assert!(!mail["text"].as_str().unwrap().is_empty(), "{mail:#}");
    let draft = call("create_draft", json!({"reply_to": mails["messages"][0]["id"], "body": "Danke – gern!"})).await;
    assert_eq!(draft["draft"]["thread_id"], mails["messages"][0]["thread_id"]);
    let drafted = call("read_message", json!({"message_id": draft["draft"]["message_id"]})).await;
    assert_eq!(drafted["text"], "Danke – gern!");
    let sent =
        call("send_email", json!({"to": ["Zoë <zoe@example.com>"], "subject": "Grüße 🙂", "body": "a\nb"})).await;
    let read = call("read_message", json!({"message_id": sent["message"]["id"]})).await;
    assert_eq!((&read["message"]["subject"], &read["text"]), (&json!("Grüße 🙂"), &json!("a\r\nb".replace('\r', ""))));

    let week = call("list_events", json!({"limit": 50, "to": "2026-12-20T00:00:00Z"})).await;
    assert!(!week["events"].as_array().unwrap().is_empty());
    let event = json!({"title": "Demo", "start": "2026-11-27", "attendees": ["ada@example.com"]});
    let made = call("create_event", event).await;
    assert_eq!((&made["event"]["start"], &made["event"]["end"]), (&json!("2026-11-27"), &json!("2026-11-28")));

    let account = google::connector().check(open(&sandbox, "one")).await.unwrap();
    assert_eq!(account.id, "rosalind@medtainer.example");
}

#[tokio::test]
async fn a_sheet_becomes_what_was_wanted_and_texts_stay_texts() {
    let sandbox = start().await;
    let id = sheet(&sandbox, "Invoices").await;
    let rows: Vec<Value> = (0..1_200).map(|n| json!([format!("INV-{n}"), "=1+1", n, true])).collect();
    let wanted = json!({"spreadsheet_id": id, "range": "Invoices", "rows": rows});
    let plan = run(open(&sandbox, "k"), "sync_sheet", {
        let mut asked = wanted.clone();
        asked["dry_run"] = json!(true);
        asked
    })
    .await
    .unwrap();
    assert_eq!(plan["plan"]["changes"][0], json!({"what": "A1", "before": "Number", "after": "INV-0"}));
    assert_eq!(effects(&sandbox, "SheetUpdate"), 0, "a dry run changes nothing");
    let synced = run(open(&sandbox, "k"), "sync_sheet", wanted.clone()).await.unwrap();
    assert_eq!(synced["cells_changed"], 4_800);
    let end = json!({"spreadsheet_id": id, "range": "Invoices!A1199:D1200"});
    let read = run(open(&sandbox, "k"), "read_sheet", end).await.unwrap();
    assert_eq!(read["rows"][1], json!(["INV-1199", "=1+1", 1199, true]), "the grid grew and nothing was calculated");
    let again = run(open(&sandbox, "k2"), "sync_sheet", wanted).await.unwrap();
    assert_eq!(again["cells_changed"], 0);
    let less = json!({"spreadsheet_id": id, "range": "Invoices!A:B", "rows": [["x", "=1+1"]]});
    run(open(&sandbox, "k3"), "sync_sheet", less).await.unwrap();
    let read = run(open(&sandbox, "k"), "read_sheet", json!({"spreadsheet_id": id, "limit": 2})).await.unwrap();
    assert_eq!(read["rows"], json!([["x", "=1+1", 0, true], ["", "", 1, true]]), "only the range was emptied");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let sandbox = start().await;
    let id = sheet(&sandbox, "Price list").await;
    let taken = run(open(&sandbox, "k"), "create_event", json!({"title": "A", "start": "2026-11-28T10:00:00Z"})).await;
    taken.unwrap();
    let before = sandbox.business().effects().len();
    for (tool, mut arguments) in [
        ("append_rows", json!({"spreadsheet_id": id, "rows": [["a"]]})),
        ("create_draft", json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"})),
        ("send_email", json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"})),
        ("create_event", json!({"title": "B", "start": "2026-11-28T10:30:00Z"})),
    ] {
        arguments["dry_run"] = json!(true);
        let plan = run(open(&sandbox, "k"), tool, arguments).await.unwrap();
        assert!(!plan["plan"]["changes"].as_array().unwrap().is_empty(), "{tool}: {plan:#}");
        if tool == "create_event" {
            assert!(plan["plan"]["notes"][0].as_str().unwrap().contains("at the same time there is \"A\""), "{plan:#}");
        }
    }
    assert_eq!(sandbox.business().effects().len(), before);
}

/// Tool, arguments, the write that may be lost, and the effect that is counted.
async fn writes(sandbox: &Sandbox) -> Vec<(&'static str, Value, String, &'static str)> {
    let id = sheet(sandbox, "Invoices").await;
    let batch = format!("/sheets/v4/spreadsheets/{}:batchUpdate", id.as_str().unwrap());
    vec![
        (
            "create_draft",
            json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"}),
            "/gmail/v1/users/me/drafts".into(),
            "GmailDraftCreate",
        ),
        (
            "send_email",
            json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"}),
            "/gmail/v1/users/me/drafts".into(),
            "GmailSend",
        ),
        (
            "send_email",
            json!({"to": ["b@example.com"], "subject": "Hi", "body": "x"}),
            "/gmail/v1/users/me/drafts/send".into(),
            "GmailSend",
        ),
        (
            "create_event",
            json!({"title": "Demo", "start": "2026-11-27T10:00:00Z"}),
            "/calendar/v3/calendars".into(),
            "CalendarEventCreate",
        ),
        ("append_rows", json!({"spreadsheet_id": id, "tab": "Log", "rows": [["a", 1]]}), batch, "SheetAppend"),
    ]
}

#[tokio::test]
async fn a_lost_reply_never_makes_a_second_effect() {
    let sandbox = start().await;
    for (tool, arguments, path, effect) in writes(&sandbox).await {
        let lost = [
            json!("dropReply"),
            json!("truncated"),
            json!("html"),
            json!("malformed"),
            json!({"status": 503}),
            json!("drop"),
        ];
        for (n, kind) in lost.into_iter().enumerate() {
            let before = effects(&sandbox, effect);
            fault(&sandbox, "POST", &path, kind.clone()).await;
            let answer = run(open(&sandbox, &format!("{tool} {path} {n}")), tool, arguments.clone()).await;
            assert!(answer.is_ok(), "{tool} {path} {kind}: {answer:?}");
            let left = client().get(format!("{}/__sandbox/faults", sandbox.url())).send().await.unwrap();
            assert_eq!(left.text().await.unwrap(), "[]", "{tool} {path} {kind} did not happen");
            assert_eq!(effects(&sandbox, effect), before + 1, "{tool} {path} {kind}");
        }
    }
    let id = sheet(&sandbox, "Invoices").await;
    let log = run(open(&sandbox, "k"), "read_sheet", json!({"spreadsheet_id": id, "range": "Log"})).await.unwrap();
    assert_eq!(log["rows"].as_array().unwrap().len(), 6, "{log:#}");
}

#[tokio::test]
async fn the_same_call_again_has_no_second_effect_and_another_has_its_own() {
    let sandbox = start().await;
    for (tool, arguments, path, effect) in writes(&sandbox).await {
        let before = effects(&sandbox, effect);
        let key = format!("{tool} {path}");
        let first = run(open(&sandbox, &key), tool, arguments.clone()).await.unwrap();
        let again = run(open(&sandbox, &key), tool, arguments.clone()).await.unwrap();
        assert_eq!(effects(&sandbox, effect), before + 1, "{tool}: {first:#} {again:#}");
        run(open(&sandbox, "another"), tool, arguments.clone()).await.unwrap();
        assert_eq!(effects(&sandbox, effect), before + 2, "{tool}");
    }
}

#[tokio::test]
async fn a_mail_whose_reply_stays_lost_is_found_among_those_sent() {
    let sandbox = start().await;
    sandbox.faults().always("/google_workspace/gmail/v1/users/me/drafts/send", Fault::DropReply);
    let mail = json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"});
    // The first try commits; the others find no draft, and the mail is found among those sent.
    run(open(&sandbox, "k"), "send_email", mail.clone()).await.unwrap();
    assert_eq!(effects(&sandbox, "GmailSend"), 1);
    sandbox.faults().clear();
    sandbox.faults().always("/google_workspace/gmail/v1/users/me/drafts/send", Fault::Status(503));
    let error = fails(open(&sandbox, "k2"), "send_email", mail.clone()).await;
    assert!(!error.outcome_unknown, "the draft is still there, so nothing was sent: {error}");
    sandbox.faults().clear();
    run(open(&sandbox, "k2"), "send_email", mail).await.unwrap();
    assert_eq!((effects(&sandbox, "GmailSend"), effects(&sandbox, "GmailDraftCreate")), (2, 2));
}

#[tokio::test]
async fn a_missing_scope_and_a_dead_token_are_told_apart() {
    let sandbox = start().await;
    sandbox.skip(Duration::from_secs(5 * 24 * 3600));
    let narrow = token(&sandbox, "https://www.googleapis.com/auth/drive.readonly").await;
    let config = open(&sandbox, "k").config;
    run(opening(config.clone(), &narrow, "k"), "list_assets", json!({})).await.unwrap();
    for (tool, arguments) in [
        ("list_messages", json!({})),
        ("append_rows", json!({"spreadsheet_id": sheet(&sandbox, "Price list").await, "rows": [["a"]]})),
        ("list_events", json!({})),
    ] {
        let error = fails(opening(config.clone(), &narrow, "k"), tool, arguments).await;
        assert!(error.kind == Kind::Forbidden && error.message.contains("scope"), "{tool}: {error}");
    }
    let old = open(&sandbox, "k");
    sandbox.skip(Duration::from_secs(3_600));
    let error = fails(old, "list_assets", json!({})).await;
    assert!(error.kind == Kind::Unauthenticated && error.message.contains("Connect"), "{error}");
}

#[tokio::test]
async fn the_token_server_keeps_a_refresh_token_until_it_is_revoked() {
    let sandbox = start().await;
    let account = sandbox.account("google_workspace").unwrap();
    let (secret, config) = (|name: &str| account.credentials[name].clone(), account.config.clone());
    let refresh = async |token: &str| -> (u16, Value) {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &secret("client_id")),
            ("client_secret", &secret("client_secret")),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let answer = client().post(config["token_url"].as_str().unwrap()).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    for _ in 0..2 {
        let (status, answer) = refresh(&secret("refresh_token")).await;
        assert_eq!((status, &answer["expires_in"], answer.get("refresh_token")), (200, &json!(3599), None), "{answer}");
    }
    let revoke = config["revoke_url"].as_str().unwrap();
    client().post(revoke).form(&[("token", secret("refresh_token"))]).send().await.unwrap();
    let (status, answer) = refresh(&secret("refresh_token")).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    let error =
        fails(opening(open(&sandbox, "k").config, &secret("access_token"), "k"), "list_assets", json!({})).await;
    assert_eq!(error.kind, Kind::Unauthenticated, "what was granted with it ends too");
}

#[tokio::test]
async fn a_minute_has_sixty_reads_of_sheets() {
    let options = sandbox::Options { contacts: 50, ..sandbox::Options::new(NOW.parse().unwrap()) };
    let sandbox = sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let id = sheet(&sandbox, "Price list").await;
    // Our own pace stays within: nothing is refused, however many ask at once.
    let asked = (0..10).map(|n| run(open(&sandbox, &n.to_string()), "read_sheet", json!({"spreadsheet_id": id})));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
    let url = format!("{}/google_workspace/sheets/v4/spreadsheets/{}", sandbox.url(), id.as_str().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..41 {
        let answer = client().get(&url).bearer_auth(open_token(&sandbox)).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!((statuses[39], statuses[40]), (200, 429));
    let error = fails(open(&sandbox, "k"), "read_sheet", json!({"spreadsheet_id": id})).await;
    assert_eq!(error.kind, Kind::RateLimited, "{error}");
}

#[tokio::test]
async fn a_token_for_changes_of_events_dies() {
    let sandbox = start().await;
    let url = format!("{}/google_workspace/calendar/v3/calendars/primary/events", sandbox.url());
    let get = async |query: &[(&str, &str)]| -> (u16, Value) {
        let answer = client().get(&url).query(query).bearer_auth(open_token(&sandbox)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    let (_, all) = get(&[]).await;
    let token = all["nextSyncToken"].as_str().unwrap().to_owned();
    assert_eq!(get(&[("syncToken", &token)]).await.1["items"], json!([]));
    assert_eq!(get(&[("syncToken", &token), ("q", "x")]).await.0, 400);
    sandbox.skip(Duration::from_secs(8 * 24 * 3600));
    let (status, gone) = get(&[("syncToken", &token)]).await;
    assert_eq!((status, &gone["error"]["errors"][0]["reason"]), (410, &json!("fullSyncRequired")));
}

#[tokio::test]
async fn requests_and_answers_agree_with_the_discovery_documents() {
    let Some(apis) = contract::apis() else { return };
    let mut checked = 0;
    for case in cases::all() {
        let vendor = case.vendor().await;
        run(of(&vendor), case.tool, case.arguments.clone()).await.unwrap();
        for sent in vendor.sent() {
            let who = format!("{}: {}", case.tool, sent.line());
            let (api, method) =
                contract::method(&apis, &sent.method, &sent.path).unwrap_or_else(|| panic!("{who} is not documented"));
            api.check_query(method, sent.query.iter(), &who);
            api.check_request(method, &sent.body, &who);
            checked += 1;
        }
    }
    let sandbox = start().await;
    for path in answered(&sandbox).await {
        let url = format!("{}/google_workspace{path}", sandbox.url());
        let answer = client().get(url).bearer_auth(open_token(&sandbox)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path} {answer:?}");
        let bare = path.split('?').next().unwrap();
        let (api, method) = contract::method(&apis, "GET", bare).unwrap_or_else(|| panic!("{path} is not documented"));
        api.check_answer(method, &answer.json().await.unwrap(), &path);
        checked += 1;
    }
    println!("{checked} requests and answers checked");
}

/// Paths of everything that the sandbox shows.
async fn answered(sandbox: &Sandbox) -> Vec<String> {
    let call = async |tool: &str, arguments: Value| run(open(sandbox, "k"), tool, arguments).await.unwrap();
    let sheet = sheet(sandbox, "Price list").await;
    call("append_rows", json!({"spreadsheet_id": sheet, "rows": [["a"]]})).await;
    let document = call("list_assets", json!({"kind": "document", "limit": 1})).await["documents"][0]["id"].clone();
    let mail = call("list_messages", json!({"query": "has:attachment", "limit": 1})).await["messages"][0]["id"].clone();
    let draft =
        call("create_draft", json!({"to": ["a@example.com"], "subject": "Hi", "body": "x"})).await["draft"]["id"]
            .clone();
    let event =
        call("create_event", json!({"title": "A", "start": "2026-11-28", "attendees": ["a@example.com"]})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (sheet, document) = (text(&sheet), text(&document));
    let mails = "/gmail/v1/users/me";
    vec![
        "/drive/v3/about?fields=*".into(),
        "/drive/v3/files?fields=*&pageSize=5".into(),
        format!("/drive/v3/files/{document}?fields=*"),
        "/drive/v3/changes/startPageToken".into(),
        "/drive/v3/changes?pageToken=1001&fields=*".into(),
        format!("/docs/v1/documents/{document}"),
        format!("/sheets/v4/spreadsheets/{sheet}"),
        format!("/sheets/v4/spreadsheets/{sheet}/values:batchGet?ranges=Prices!A1:B9&ranges=Prices"),
        format!("{mails}/profile"),
        format!("{mails}/messages?maxResults=3"),
        format!("{mails}/messages/{}?format=full", text(&mail)),
        format!("{mails}/messages/{}?format=metadata&metadataHeaders=From", text(&mail)),
        format!("{mails}/drafts"),
        format!("{mails}/drafts/{}", text(&draft)),
        "/calendar/v3/users/me/calendarList".into(),
        "/calendar/v3/calendars/primary/events?maxResults=3".into(),
        format!("/calendar/v3/calendars/primary/events/{}", text(&event["event"]["id"])),
    ]
}
