//! `GET /api/v1/openapi.json`: what this door takes and answers (OpenAPI 3.1), for programs that are made from it.
//!
//! Each file of routes describes its own with the types that it reads and writes; a test holds that all are described.

mod operation;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Problem, cookie};
use crate::app::App;

pub use operation::{Operation, delete, get, patch, post, put};

/// Where the names of schemas stand.
const SCHEMAS: &str = "/components/schemas";

const ABOUT: &str = "Every tool of the catalogue is called by `POST /mcp/run/{tool}`; `GET /mcp/tools` says which there \
    are and what each takes. `/mcp` itself speaks MCP. Tokens of OAuth open what is below `/mcp` and nothing else. \
    Errors are problem documents (RFC 9457).";

/// Open to everybody: it tells of the program and nothing of a business.
pub async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    Json(document(super::described(), cookie::name(&app)))
}

/// Its own route.
pub fn described() -> Vec<Operation> {
    vec![get("/api/v1/openapi.json", "showDocument", "This document.").open().answers::<Map<String, Value>>(200)]
}

fn document(operations: Vec<Operation>, cookie: &str) -> Value {
    let mut shapes = Shapes::new();
    let mut paths = json!({});
    for operation in operations {
        let (path, method) = (operation.path, operation.method);
        paths[path][method] = operation.describe(&mut shapes);
    }
    shapes.answered.subschema_for::<Problem>();
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Enterprise MCP Server", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": shapes.answered.take_definitions(true),
            "securitySchemes": security(cookie),
        },
    })
}

fn security(cookie: &str) -> Value {
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
        "session": {
            "type": "apiKey", "in": "cookie", "name": cookie,
            "description": "A person who has signed in with `POST /api/v1/session`.",
        },
        "csrf": {
            "type": "apiKey", "in": "header", "name": "X-CSRF-Token",
            "description": "The session's token, which everything that changes something needs beside the cookie.",
        },
    })
}

/// Makes schemas of types. What is sent stands where it is sent; what is answered has a name.
pub struct Shapes {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Shapes {
    fn new() -> Shapes {
        let inline = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
        let named = |settings: &mut SchemaSettings| settings.definitions_path = SCHEMAS.into();
        Shapes {
            sent: SchemaSettings::draft2020_12().for_deserialize().with(inline).into_generator(),
            answered: SchemaSettings::draft2020_12().for_serialize().with(named).into_generator(),
        }
    }
}
