//! What the connector sends and what the simulated seller answers, held against Amazon's own models where they are
//! present; and Amazon's own examples, read by the connector.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod amazon;
mod support;

use amazon::{now, opening, run, walk};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use support::{Reply, Sent, Vendor, contracts};

const MODELS: [&str; 5] = ["orders_2026-01-01", "fbaInventory", "sales", "reports_2021-06-30", "sellers"];

fn file(name: &str) -> Option<Value> {
    let folder = contracts::folder("amazon")?;
    Some(serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap())
}

fn models() -> Option<Vec<Value>> {
    MODELS.iter().map(|name| file(&format!("models/{name}.json"))).collect()
}

/// Every tool with everything that it can be asked for.
fn calls() -> Vec<(&'static str, Value)> {
    let statuses =
        ["pending_availability", "pending", "unshipped", "partially_shipped", "shipped", "cancelled", "unfulfillable"];
    vec![
        ("order_digest", json!({"days": 7})),
        (
            "list_orders",
            json!({"statuses": statuses, "fulfilled_by": "amazon", "from": "2026-11-01T00:00:00Z",
                "to": "2026-11-20T00:00:00Z", "limit": 5}),
        ),
        ("get_order", json!({"order_id": "113-1234567-7654321"})),
        ("inventory_snapshot", json!({"skus": ["A", "B"]})),
        ("inventory_snapshot", json!({"skus": ["A"]})),
        (
            "sales_metrics",
            json!({"from": "2026-11-01", "to": "2026-11-20", "granularity": "day", "sku": "A",
                "fulfilled_by": "merchant", "buyers": "consumer"}),
        ),
        (
            "list_reports",
            json!({"statuses": ["in_queue", "in_progress", "done", "cancelled", "fatal"], "limit": 5,
                "from": "2026-11-01T00:00:00Z"}),
        ),
    ]
}

#[tokio::test]
async fn requests_agree_with_amazons_models() {
    let Some(models) = models() else { return };
    let vendor = Vendor::start(|_, _| json!({}).into()).await;
    for (tool, arguments) in calls() {
        run(opening(&vendor), tool, arguments).await.unwrap();
    }
    for since in [None, Some(now() - chrono::Duration::days(1))] {
        walk(opening(&vendor), "orders", since).await.unwrap();
        walk(opening(&vendor), "inventory", since).await.unwrap();
    }
    amazon::connector().check(opening(&vendor)).await.unwrap_err();
    let sent = vendor.sent();
    sent.iter().for_each(|sent| check(&models, sent));
    println!("{} requests checked", sent.len());
}

fn check(models: &[Value], sent: &Sent) {
    let (_, operation) = operation(models, sent).unwrap_or_else(|| panic!("{} is not documented", sent.line()));
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for name in sent.query.keys() {
        assert!(parameters.iter().any(|known| known["name"] == *name), "{}: `{name}` is unknown", sent.line());
    }
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().unwrap();
        let Some(given) = sent.query.get(name) else {
            assert!(parameter["required"] != true, "{}: `{name}` is missing", sent.line());
            continue;
        };
        let values: Vec<&str> = given.split(',').collect();
        let allowed = parameter["enum"].as_array().or_else(|| parameter["items"]["enum"].as_array());
        if let Some(allowed) = allowed {
            assert!(values.iter().all(|value| allowed.contains(&json!(value))), "{name} may not be {given}");
        }
        if let Some(most) = parameter["maxItems"].as_u64() {
            assert!(values.len() as u64 <= most, "{name} has {} values", values.len());
        }
    }
}

/// The document and the operation for a request: the path with the fewest parameters that fits.
fn operation<'a>(models: &'a [Value], sent: &Sent) -> Option<(&'a Value, &'a Value)> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), sent.path.split('/').collect());
        template.len() == path.len() && template.iter().zip(path).all(|(a, b)| a.starts_with('{') || *a == b)
    };
    let all = models.iter().flat_map(|model| model["paths"].as_object().unwrap().iter().map(move |at| (model, at)));
    let fitting = all.filter(|(_, (path, _))| fits(path));
    let (model, (_, operations)) = fitting.min_by_key(|(_, (path, _))| path.matches('{').count())?;
    operations.get(sent.method.to_lowercase()).map(|operation| (model, operation))
}

#[tokio::test]
async fn the_simulated_seller_answers_as_amazons_models_say() {
    let Some(models) = models() else { return };
    let options = Options { enforce_limits: false, ..Options::new(now()) };
    let sandbox = sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let token = sandbox.account("amazon").unwrap().credentials["access_token"].clone();
    let data = "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES";
    let orders = "/orders/2026-01-01/orders";
    let list =
        get(&sandbox, &format!("{orders}?createdAfter=2026-09-01T00:00:00Z&includedData={data}"), &token).await.1;
    let id = list["orders"][0]["orderId"].as_str().unwrap().to_owned();
    let inventory = "/fba/inventory/v1/summaries?granularityType=Marketplace&granularityId=ATVPDKIKX0DER";
    let sales = "/sales/v1/orderMetrics?marketplaceIds=ATVPDKIKX0DER&granularityTimeZone=UTC";
    let paths = [
        (format!("{orders}?createdAfter=2026-09-01T00:00:00Z&includedData={data}"), "200"),
        (format!("{orders}?lastUpdatedAfter=2026-11-01T00:00:00Z"), "200"),
        (format!("{orders}?createdAfter=TEST_CASE_400"), "400"),
        (format!("{orders}/{id}?includedData={data}"), "200"),
        (format!("{orders}/113-0000000-0000000"), "404"),
        (format!("{orders}/TEST_CASE_400"), "400"),
        (format!("{inventory}&marketplaceIds=ATVPDKIKX0DER&details=true"), "200"),
        (format!("{inventory}&marketplaceIds=ATVPDKIKX0DER"), "200"),
        (inventory.to_owned(), "400"),
        (format!("{sales}&granularity=Week&interval=2026-10-01T00:00:00Z--2026-11-01T00:00:00Z"), "200"),
        (format!("{sales}&granularity=Total"), "400"),
        ("/reports/2021-06-30/reports?reportTypes=GET_SALES_AND_TRAFFIC_REPORT".to_owned(), "200"),
        ("/reports/2021-06-30/reports?reportTypes=X&processingStatuses=BAD_VALUE".to_owned(), "400"),
        ("/reports/2021-06-30/reports?nextToken=X&pageSize=1".to_owned(), "400"),
        ("/sellers/v1/marketplaceParticipations".to_owned(), "200"),
    ];
    for (path, status) in paths {
        let (answered, body, _) = get(&sandbox, &path, &token).await;
        assert_eq!(answered.to_string(), status, "{path}: {body}");
        let (place, _) = path.split_once('?').unwrap_or((&path, ""));
        let sent = sent_to(place);
        let (model, operation) = operation(&models, &sent).unwrap();
        let schema = json!({"definitions": closed(&model["definitions"]), "$ref": operation["responses"][status]["schema"]["$ref"]});
        support::satisfies(&schema, &body, &path);
    }
}

/// Objects take only what is declared, so that an invented field is found.
fn closed(definitions: &Value) -> Value {
    let mut definitions = definitions.clone();
    for definition in definitions.as_object_mut().unwrap().values_mut() {
        if definition.get("properties").is_some() {
            definition["additionalProperties"] = json!(false);
        }
    }
    definitions
}

fn sent_to(path: &str) -> Sent {
    Sent {
        method: "GET".into(),
        path: path.into(),
        query: Default::default(),
        headers: Default::default(),
        body: Value::Null,
    }
}

async fn get(sandbox: &Sandbox, path: &str, token: &str) -> (u16, Value, Option<String>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let url = format!("{}/amazon{path}", sandbox.url());
    let answer = client.get(url).header("x-amz-access-token", token).send().await.unwrap();
    let rate = answer.headers().get("x-amzn-ratelimit-limit").map(|rate| rate.to_str().unwrap().to_owned());
    (answer.status().as_u16(), answer.json().await.unwrap(), rate)
}

#[tokio::test]
async fn both_sides_keep_the_limits_of_the_usage_plans() {
    let Some(plans) = file("rate-limits.derived.json") else { return };
    let sandbox = sandbox::start(Options::new(now()), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let token = sandbox.account("amazon").unwrap().credentials["access_token"].clone();
    let operations = [
        ("orders_2026-01-01#searchOrders", "list_orders"),
        ("orders_2026-01-01#getOrder", "get_order"),
        ("fbaInventory#getInventorySummaries", "inventory_snapshot"),
        ("sales#getOrderMetrics", "sales_metrics"),
        ("reports_2021-06-30#getReports", "list_reports"),
    ];
    let full = Vendor::start(|_, _| Reply::Json(429, json!({"errors": [{"code": "QuotaExceeded"}]}))).await;
    for (operation, tool) in operations {
        let plan = &plans["operations"][operation];
        let rate = plan["rate"].as_f64().unwrap();
        let path = plan["path"].as_str().unwrap().replace("{orderId}", "113-0000000-0000000");
        let told = get(&sandbox, &path, &token).await.2.unwrap();
        assert_eq!(told.parse::<f64>().unwrap(), rate, "{operation} of the sandbox");
        let arguments = if tool == "get_order" { json!({"order_id": "1"}) } else { json!({}) };
        let wait = amazon::fails(&full, tool, arguments).await.retry_after.unwrap().as_secs_f64();
        assert!(
            wait >= 1.0 / rate && wait < 1.2 / rate,
            "{tool} waits {wait} s for a request that takes {} s",
            1.0 / rate
        );
    }
}

/// Amazon's own pairs of its static sandbox.
fn pairs(model: &Value, path: &str, status: &str) -> Vec<Value> {
    let response = &model["paths"][path]["get"]["responses"][status];
    let pairs = response["x-amzn-api-sandbox"]["static"].as_array().cloned().unwrap_or_default();
    pairs.into_iter().map(|pair| pair["response"].clone()).collect()
}

#[tokio::test]
async fn amazons_own_examples_are_read() {
    let Some(models) = models() else { return };
    let examples = [
        (0, "/orders/2026-01-01/orders", "list_orders", json!({"from": "2024-12-25T00:00:00Z"}), "/orders"),
        (0, "/orders/2026-01-01/orders", "order_digest", json!({}), "/by_status"),
        (0, "/orders/2026-01-01/orders/{orderId}", "get_order", json!({"order_id": "1"}), "/order/items"),
        (2, "/sales/v1/orderMetrics", "sales_metrics", json!({}), "/intervals"),
        (3, "/reports/2021-06-30/reports", "list_reports", json!({}), "/reports"),
    ];
    let mut read = 0;
    for (model, path, tool, arguments, place) in examples {
        for example in pairs(&models[model], path, "200") {
            let kept = example.clone();
            let vendor = Vendor::start(move |sent, _| {
                // The second page of a made-up token is the end.
                let paged = sent.query.contains_key("paginationToken") || sent.query.contains_key("nextToken");
                if paged { json!({}).into() } else { kept.clone().into() }
            })
            .await;
            let answer = run(opening(&vendor), tool, arguments.clone()).await.unwrap();
            let rows = answer.pointer(place).unwrap();
            let empty =
                rows.as_array().is_some_and(Vec::is_empty) || rows.as_object().is_some_and(|rows| rows.is_empty());
            assert!(!empty, "{tool} found nothing in {example}");
            assert!(!answer.to_string().contains("unknown"), "{tool} did not understand {example}: {answer}");
            read += 1;
        }
        for example in pairs(&models[model], path, "400") {
            let vendor = Vendor::start(move |_, _| Reply::Json(400, example.clone())).await;
            let error = amazon::fails(&vendor, tool, arguments.clone()).await;
            assert!(
                error.kind == sdk::Kind::InvalidInput && error.message.to_lowercase().contains("invalid input"),
                "{error}"
            );
            read += 1;
        }
    }
    for example in pairs(&models[4], "/sellers/v1/marketplaceParticipations", "200") {
        let vendor = Vendor::start(move |_, _| example.clone().into()).await;
        assert_eq!(amazon::connector().check(opening(&vendor)).await.unwrap().name, "BestSellerStore");
        read += 1;
    }
    println!("{read} examples read");
    assert!(read >= 10);
}
