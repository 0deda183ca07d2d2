//! A change is on record before it is in force: where the record cannot be written, nothing has changed.

use reqwest::Method;
use serde_json::json;

use crate::identity::owner;
use crate::support::{TestServer, on_both};

/// How many records of this kind there are.
async fn records(server: &TestServer, event: &str) -> usize {
    store::audit::events(&server.app().store.tenant("default"), Some(event), 99, None).await.unwrap().rows.len()
}

#[tokio::test]
async fn a_key_is_neither_made_nor_ended_without_a_record() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let new = json!({"name": "books", "scopes": ["read"]});
            let (_, made) = owner.send(Method::POST, "/api/v1/keys", new.clone()).await;
            let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
            let (_, before) = owner.send(Method::GET, "/api/v1/keys", json!({})).await;
            server.app().audit.close().await;
            assert_eq!(owner.send(Method::POST, "/api/v1/keys", new).await.0, 503);
            assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 503);
            assert_eq!(owner.send(Method::GET, "/api/v1/keys", json!({})).await.1, before);
        },
    )
    .await;
}

#[tokio::test]
async fn what_there_is_not_to_end_leaves_no_record() {
    let server = TestServer::sqlite().await;
    let owner = owner(&server).await;
    let (_, made) = owner.send(Method::POST, "/api/v1/keys", json!({"name": "books", "scopes": ["read"]})).await;
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    for status in [204, 404] {
        assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, status);
        assert_eq!(records(&server, "key_revoked").await, 1);
    }
    server.stop().await;
}
