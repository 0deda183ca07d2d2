//! Requests of ours and answers of the simulated vendor, held against what is derived from Intuit's schemas.

use serde_json::{Map, Value};

use crate::harness::{Account, sandbox, vendor};
use crate::requests::all;
use crate::support::contracts;

/// What stands on the wire and not in the schemas: references are values, the flag of a sparse row.
const BESIDE: &[&str] = &["value", "sparse", "domain"];

#[tokio::test]
async fn what_is_written_has_fields_that_the_schemas_know() {
    let Some(schemas) = schemas() else { return };
    let mut checked = 0;
    for case in all() {
        let vendor = vendor(case.answers.clone()).await;
        Account::of(&vendor).run(case.tool, case.arguments.clone()).await.unwrap();
        for sent in vendor.sent().iter().filter(|sent| sent.body.is_object()) {
            let entity = if sent.path.ends_with("/invoice") { "Invoice" } else { "Customer" };
            check(&schemas, entity, &sent.body, case.tool);
            checked += 1;
        }
    }
    assert!(checked >= 3);
    println!("{checked} bodies of ours checked");
}

#[tokio::test]
async fn rows_of_the_simulated_vendor_have_fields_that_the_schemas_know() {
    let Some(schemas) = schemas() else { return };
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    for (stream, entity) in [("customers", "Customer"), ("invoices", "Invoice"), ("payments", "Payment")] {
        let (records, _) = account.walk(stream, None).await.unwrap();
        records.iter().for_each(|record| check(&schemas, entity, &record.data, stream));
        println!("{} rows of {entity} checked", records.len());
    }
}

/// The recorded answers of Intuit's own tests are read without a failure.
#[tokio::test]
async fn recorded_answers_are_read() {
    let Some(folder) = contracts::folder("quickbooks") else { return };
    let sample = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join("samples").join(name)).unwrap()).unwrap()
    };
    let invoice = sample("invoice-read.json");
    let vendor =
        vendor(vec![("GET /invoice/20246", invoice), ("GET /query", sample("query-customer-with-fault.json"))]).await;
    let answer = Account::of(&vendor).run("get_invoice", serde_json::json!({"invoice_id": "20246"})).await.unwrap();
    assert_eq!(answer["invoice"]["total"], 100_055.55);
    assert_eq!(answer["invoice"]["status"], "overdue");
    assert_eq!(answer["lines"].as_array().unwrap().len(), 1);
    Account::of(&vendor).fails("list_customers", serde_json::json!({})).await;
}

fn schemas() -> Option<Value> {
    let text = std::fs::read_to_string(contracts::folder("quickbooks")?.join("derived/entities.json")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn check(schemas: &Value, kind: &str, body: &Value, who: &str) {
    let known = ["entities", "sharedTypes"].iter().find_map(|part| schemas[*part].get(kind));
    let Some(fields) = known.and_then(|known| known["fields"].as_array()) else { return };
    for (name, value) in body.as_object().unwrap_or(&Map::new()) {
        let field = fields.iter().find(|field| field["name"] == name.as_str());
        assert!(field.is_some() || BESIDE.contains(&name.as_str()), "{who}: {kind} has no `{name}`");
        let Some(kind) = field.and_then(|field| field["type"].as_str()) else { continue };
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let fits = match kind {
                "xs:decimal" | "xs:positiveInteger" => value.is_number(),
                "xs:boolean" => value.is_boolean(),
                "xs:string" | "id" | "xs:date" | "xs:dateTime" => value.is_string(),
                _ => true,
            };
            assert!(fits, "{who}: `{name}` of type {kind} may not be {value}");
            if let Some(allowed) =
                schemas["enums"].get(kind).and_then(Value::as_array).filter(|known| !known.is_empty())
            {
                assert!(allowed.contains(value), "{who}: `{name}` may not be {value}");
            }
            check(schemas, kind, value, who);
        }
    }
}
