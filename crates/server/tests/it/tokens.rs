//! Codes and tokens of clients: good once, for a while, for one.

use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::testing::rows_of;

use crate::identity::owner;
use crate::letting_in::{REDIRECT, VERIFIER, exchange, on_both, opens, program, recorded};

/// A code is good once, for a minute, for the client that it was given to, at the address that it went to.
#[tokio::test]
async fn a_code_is_good_once_and_for_one() {
    on_both(|moving| async move {
        let server = &moving.server;
        let owner = owner(server).await;
        let (agent, other) = (program(server).await, program(server).await);

        let code = agent.code(server, &owner, true).await;
        let (status, body) = other.redeem(server, &code).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "another client");

        for (name, value) in [("code_verifier", "x".repeat(48)), ("redirect_uri", "http://127.0.0.1:1/callback".into())]
        {
            let code = agent.code(server, &owner, true).await;
            let mut form = vec![
                ("grant_type", "authorization_code"),
                ("client_id", &agent.id),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
                ("code", &code),
            ];
            form.retain(|(known, _)| *known != name);
            form.push((name, &value));
            let (status, body) = exchange(server, &form).await;
            assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "{name}");
        }
        let code = agent.code(server, &owner, true).await;
        moving.skip(61);
        assert_eq!(agent.redeem(server, &code).await.0, StatusCode::BAD_REQUEST, "too late");

        let code = agent.code(server, &owner, true).await;
        let racers = futures::future::join_all((0..8).map(|_| agent.redeem(server, &code))).await;
        assert!(racers.iter().filter(|(status, _)| *status == StatusCode::OK).count() <= 1);
        let code = agent.code(server, &owner, true).await;
        let (_, tokens) = agent.redeem(server, &code).await;
        assert!(opens(server, &tokens).await);
        assert_eq!(agent.redeem(server, &code).await.0, StatusCode::BAD_REQUEST);
        assert!(!opens(server, &tokens).await, "a code that is shown twice ends what it gave");
        assert_eq!(agent.refresh(server, &tokens).await.0, StatusCode::BAD_REQUEST);
        assert!(recorded(server, "client_code_replayed").await >= 1);
    })
    .await;
}

/// Each refresh token is good once; the second use of one ends everything that grew out of the same consent's code.
#[tokio::test]
async fn a_refresh_token_used_twice_ends_its_family() {
    on_both(|moving| async move {
        let server = &moving.server;
        let owner = owner(server).await;
        let (agent, other) = (program(server).await, program(server).await);
        let first = agent.let_in(server, &owner, true).await;
        assert_eq!(other.refresh(server, &first).await.0, StatusCode::BAD_REQUEST, "of another client");
        let (_, second) = agent.refresh(server, &first).await;
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(second["scope"], "mcp:read mcp:write");
        moving.skip(3599);
        assert!(opens(server, &second).await);
        moving.skip(2);
        assert!(!opens(server, &second).await, "an hour");
        let (_, third) = agent.refresh(server, &second).await;
        assert!(opens(server, &third).await);

        assert_eq!(agent.refresh(server, &first).await.1["error"], "invalid_grant");
        assert!(!opens(server, &third).await);
        assert_eq!(agent.refresh(server, &third).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(recorded(server, "client_token_reused").await, 1);

        // The client itself can give up what it holds.
        let tokens = agent.let_in(server, &owner, false).await;
        let form = [("client_id", agent.id.as_str()), ("token", tokens["refresh_token"].as_str().unwrap())];
        let ended = server.http.post(server.url("/revoke")).form(&form).send().await.unwrap();
        assert_eq!(ended.status(), StatusCode::OK);
        assert!(!opens(server, &tokens).await);
        // And a consent does not last for ever, however often it is used.
        let mut tokens = agent.let_in(server, &owner, false).await;
        for _ in 0..2 {
            moving.skip(44 * 24 * 3600);
            let (status, next) = agent.refresh(server, &tokens).await;
            assert_eq!(status, StatusCode::OK, "{next}");
            tokens = next;
        }
        moving.skip(3 * 24 * 3600);
        assert_eq!(agent.refresh(server, &tokens).await.0, StatusCode::BAD_REQUEST, "91 days");
    })
    .await;
}

/// Who reads the database finds neither a code nor a token, nor what one of them stands for.
#[tokio::test]
async fn the_database_alone_opens_nothing() {
    on_both(|moving| async move {
        let server = &moving.server;
        let owner = owner(server).await;
        let agent = program(server).await;
        let code = agent.code(server, &owner, true).await;
        let tokens = agent.let_in(server, &owner, true).await;
        let rows = rows_of(&server.app().store, "default").await.unwrap();
        let secrets = [&code, tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap()];
        let as_bytes = |text: &str| hex::encode(text.as_bytes());
        for row in rows.values().flatten().map(|row| row.to_lowercase()) {
            for secret in secrets {
                assert!(!row.contains(&secret.to_lowercase()) && !row.contains(&as_bytes(secret)), "{row}");
            }
        }
        let records: Vec<_> = rows["oauth_records"].iter().map(|row| row.to_lowercase()).collect();
        let readable = |row: &String| row.contains(&as_bytes("client_id"));
        assert!(records.iter().any(readable), "a consent can be read, so this would be seen");
        for secret in secrets {
            let id = hex::encode(Sha256::digest(secret));
            let kept = records.iter().find(|row| row.contains(&id)).expect("it is found by its hash");
            assert!(!readable(kept), "{kept}");
            assert!(!opens(server, &json!({"access_token": id})).await, "a hash is no token");
        }
    })
    .await;
}
