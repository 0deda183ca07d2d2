//! `/mcp` on the wire, without a client library: both eras, and what must be refused.

use serde_json::{Value, json};

use crate::support::{KEY, TestServer};

#[tokio::test]
async fn an_older_client_initializes_lists_and_calls() {
    let server = TestServer::sqlite().await;
    let client =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = server.rpc("initialize", client).await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    assert!(hello["result"]["instructions"].as_str().unwrap().len() < 2048);
    let tools = server.rpc("tools/list", json!({})).await;
    assert!(tools["result"]["tools"].as_array().unwrap().len() > 20);
    let call = json!({"name": "contacts_search", "arguments": {"query": "acme"}});
    let answer = server.rpc("tools/call", call).await;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert_eq!(answer["result"]["structuredContent"]["metadata"]["source"], "sample");
    let text: Value = serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, answer["result"]["structuredContent"], "older clients read the same as text");
    server.stop().await;
}

#[tokio::test]
async fn a_client_of_2026_needs_no_handshake() {
    let server = TestServer::sqlite().await;
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
    let request = server.http.post(server.url("/mcp")).bearer_auth(KEY).header("mcp-protocol-version", "2026-07-28");
    let response = request.header("mcp-method", "tools/list").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["result"]["cacheScope"], "private", "the list differs by caller");
    assert!(body["result"]["ttlMs"].as_u64() > Some(0));
    server.stop().await;
}

#[tokio::test]
async fn every_tool_suits_every_client() {
    let server = TestServer::sqlite().await;
    let answer = server.rpc("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "the order is the same every time");
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert!(name.len() <= 45 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{name}");
        assert!(!tool["description"].as_str().unwrap().is_empty() && tool["title"].is_string(), "{name}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} does not say {hint}");
        }
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        for schema in ["inputSchema", "outputSchema"] {
            let schema = &tool[schema];
            assert_eq!(schema["type"], "object", "{name}");
            for combinator in ["oneOf", "anyOf", "allOf"] {
                assert!(schema.get(combinator).is_none(), "{name} has a top-level {combinator}");
            }
            let text = schema.to_string();
            for refused in ["$ref", "$defs", "\"uint"] {
                assert!(!text.contains(refused), "{name}: {refused}");
            }
            says_what_it_is(schema, name);
        }
    }
    server.stop().await;
}

/// The Inspector warns of a schema that would take anything.
fn says_what_it_is(schema: &Value, place: &str) {
    let says = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "not"].iter().any(|key| schema.get(key).is_some());
    assert!(says, "{place} may be anything: {schema}");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        says_what_it_is(property, &format!("{place}.{name}"));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            says_what_it_is(inner, &format!("{place}[{key}]"));
        }
    }
}

/// What a client that checks answers against their schema would see.
#[tokio::test]
async fn answers_satisfy_their_own_schemas() {
    let server = TestServer::sqlite().await;
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let contact = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await["contacts"][0]["id"].clone();
    let calls = [
        ("contacts_search", json!({"query": "leads without email"})),
        ("contacts_needs_follow_up", json!({})),
        ("contacts_view_360", json!({"contact": contact})),
        ("gohighlevel_read_contacts", json!({"limit": 3})),
        ("gohighlevel_get_contact", json!({"contact_id": contact})),
        ("gohighlevel_list_pipelines", json!({})),
        ("gohighlevel_pipeline_digest", json!({})),
        ("gohighlevel_list_opportunities", json!({})),
        ("gohighlevel_read_conversations", json!({})),
        ("gohighlevel_list_appointments", json!({})),
        ("gohighlevel_get_sync_stats", json!({})),
        ("gohighlevel_get_insights", json!({})),
        ("gohighlevel_analyze_contact", json!({"contact": contact})),
        ("gohighlevel_get_recommendations", json!({})),
        ("gohighlevel_add_tags", json!({"contact_id": contact, "tags": ["x"]})),
        ("system_health", json!({})),
        ("system_tools", json!({})),
        ("system_search_audit", json!({})),
        ("system_list_approvals", json!({})),
        ("system_list_connections", json!({})),
    ];
    let list = server.rpc("tools/list", json!({})).await;
    for (name, arguments) in calls {
        let tool = list["result"]["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name);
        let tool = tool.unwrap_or_else(|| panic!("there is no {name}"));
        let answer = server.rpc("tools/call", json!({"name": name, "arguments": arguments})).await;
        assert_eq!(answer["result"]["isError"], false, "{name}: {answer}");
        let validator = jsonschema::validator_for(&tool["outputSchema"]).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&answer["result"]["structuredContent"])
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
        assert!(answer.to_string().len() < 220_000, "{name} is too long for a model");
    }
    server.stop().await;
}

#[tokio::test]
async fn failures_are_results_and_nonsense_is_a_protocol_error() {
    let server = TestServer::sqlite().await;
    let wrong = server.rpc("tools/call", json!({"name": "gohighlevel_get_contact", "arguments": {}})).await;
    assert_eq!(wrong["result"]["isError"], true);
    assert!(wrong["result"]["content"][0]["text"].as_str().unwrap().contains("contact_id"), "{wrong}");
    let unknown = server.rpc("tools/call", json!({"name": "no_such_tool", "arguments": {}})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let method = server.rpc("no/such/method", json!({})).await;
    assert_eq!(method["error"]["code"], -32601, "{method}");
    let send = |body: &'static str| {
        let request = server.http.post(server.url("/mcp")).bearer_auth(KEY).header("content-type", "application/json");
        request.body(body).send()
    };
    for body in ["{\"jsonrpc\": \"2.0\", \"id\"", "[]", "\"text\"", ""] {
        let status = send(body).await.unwrap().status();
        assert!(status.is_client_error(), "{body:?} → {status}");
    }
    server.stop().await;
}

#[tokio::test]
async fn resources_and_prompts_carry_the_business() {
    let server = TestServer::sqlite().await;
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let list = server.rpc("resources/list", json!({})).await;
    for resource in list["result"]["resources"].as_array().unwrap() {
        let page = server.rpc("resources/read", json!({"uri": resource["uri"]})).await;
        let text = page["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("> **Sample data.**") && text.len() > 200, "{text}");
    }
    let briefing = server.rpc("prompts/get", json!({"name": "daily_briefing"})).await;
    assert!(briefing["result"]["messages"][0]["content"]["text"].as_str().unwrap().len() > 300);
    let call = json!({"name": "prepare_for_a_call", "arguments": {"contact": "Laura Hayward"}});
    let prepared = server.rpc("prompts/get", call).await;
    assert!(
        prepared["result"]["messages"][0]["content"]["text"].as_str().unwrap().contains("Acme Supply"),
        "{prepared}"
    );
    let missing = server.rpc("resources/read", json!({"uri": "business://nothing"})).await;
    assert_eq!(missing["error"]["code"], -32602);
    server.stop().await;
}

/// Progress would make the answer a stream of events; a client that reads none gets the answer alone.
#[tokio::test]
async fn who_accepts_only_json_gets_only_json() {
    let server = TestServer::sqlite().await;
    let call = |accept: &'static str, era: &'static str| {
        let mut meta = json!({"progressToken": "t1"});
        if era == "2026-07-28" {
            meta["io.modelcontextprotocol/protocolVersion"] = json!(era);
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        let params = json!({"name": "gohighlevel_sync_all_contacts", "arguments": {"mode": "full"}, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = server.http.post(server.url("/mcp")).bearer_auth(KEY).header("accept", accept);
        let request = request.header("mcp-protocol-version", era).header("mcp-method", "tools/call");
        request.header("mcp-name", "gohighlevel_sync_all_contacts").json(&body).send()
    };
    for era in ["2025-11-25", "2026-07-28"] {
        for accept in ["application/json", "application/*;q=0.9"] {
            let response = call(accept, era).await.unwrap();
            assert_eq!(response.headers()["content-type"], "application/json", "{era} {accept}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["result"]["isError"], false, "{era} {accept}: {answer}");
        }
        let response = call("application/json, text/event-stream", era).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream", "{era}: progress was asked for");
        assert!(response.text().await.unwrap().contains("notifications/progress"), "{era}");
    }
    server.stop().await;
}

/// A client chooses by its address what its model has to read, and may choose to change nothing.
#[tokio::test]
async fn an_address_selects_tools_and_may_be_read_only() {
    let server = TestServer::sqlite().await;
    let ask = async |path: &str, method: &str, params: Value| -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = server.http.post(server.url(path)).bearer_auth(crate::support::KEY);
        let request = request.header("mcp-protocol-version", "2025-11-25").json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let names = |answer: &Value| -> Vec<String> {
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names(&ask("/mcp", "tools/list", json!({})).await);
    let few = names(&ask("/mcp?toolsets=contacts,cloudflare", "tools/list", json!({})).await);
    assert!(few.len() > 5 && few.len() < all.len() / 2, "{few:?}");
    // What was asked for can be followed up, whatever else is selected.
    let wanted = |name: &String| ["contacts_", "cloudflare_"].iter().any(|start| name.starts_with(start));
    let (mine, others): (Vec<_>, Vec<_>) = few.iter().partition(|name| wanted(name));
    assert!(mine.len() > 5, "{few:?}");
    assert_eq!(others, ["system_get_approval", "system_wait_for_approval"]);
    let unknown = ask("/mcp?toolsets=contact", "tools/list", json!({})).await;
    assert!(unknown["error"]["message"].as_str().unwrap().contains("quickbooks"), "{unknown}");

    let reading = names(&ask("/mcp?read_only=true", "tools/list", json!({})).await);
    // Every write can be tried dry, so none has to be hidden; what it does otherwise is refused below.
    assert_eq!(reading, all);
    let outside = json!({"name": "quickbooks_list_invoices", "arguments": {}});
    let refused = ask("/mcp?toolsets=contacts", "tools/call", outside.clone()).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("selects"), "{refused}");
    assert_eq!(ask("/mcp", "tools/call", outside).await["result"]["isError"], false);

    // A plan may be asked for where nothing may be changed.
    let customer = |dry_run: bool| {
        json!({"name": "quickbooks_create_customer",
            "arguments": {"name": "Dry Run Ltd", "email": "dry@example.com", "dry_run": dry_run}})
    };
    let planned = ask("/mcp?read_only=true", "tools/call", customer(true)).await;
    assert!(planned["result"]["structuredContent"]["plan"]["would"].is_string(), "{planned}");
    let refused = ask("/mcp?read_only=true", "tools/call", customer(false)).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("read-only"), "{refused}");
    server.stop().await;
}

/// What a model has to read before it can begin, four letters a token: for everything, and for one tool.
#[tokio::test]
async fn the_catalogue_stays_within_its_budget() {
    let server = TestServer::sqlite().await;
    let list = server.rpc("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap();
    let cost = |tool: &Value| (tool["description"].to_string().len() + tool["inputSchema"].to_string().len()) / 4;
    for tool in tools {
        assert!(jsonschema::validator_for(&tool["inputSchema"]).is_ok(), "{}", tool["name"]);
    }
    let dearest = tools.iter().max_by_key(|tool| cost(tool)).unwrap();
    assert!(cost(dearest) <= 540, "{} costs {} tokens", dearest["name"], cost(dearest));
    let all: usize = tools.iter().map(cost).sum();
    assert!(all <= 220 * tools.len(), "{} tools cost {all} tokens", tools.len());
    server.stop().await;
}
