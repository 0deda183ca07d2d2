//! One method of one path: what it takes, what it answers, and to whom.

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::Shapes;
use crate::api::Problem;

/// One method of one path.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Needs no key and no session.
    open: bool,
    /// What stands in the path is an id of ours.
    by_id: bool,
    /// A value for what stands in the path.
    example: Option<&'static str>,
    sent: Option<(&'static str, Shape)>,
    answers: Vec<(u16, Body)>,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

enum Body {
    Nothing,
    Json(Shape),
    /// An object with a list of this name.
    List(&'static str, Shape),
    /// A text of this media type.
    Text(&'static str),
    Problem,
}

pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("get", path, id, summary)
}

pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("post", path, id, summary)
}

pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("put", path, id, summary)
}

pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("patch", path, id, summary)
}

pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("delete", path, id, summary)
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
        let (answers, example) = (Vec::new(), None);
        Operation { method, path, id, summary, open: false, by_id: false, example, sent: None, answers }
    }

    pub fn open(mut self) -> Operation {
        self.open = true;
        self
    }

    pub fn by_id(mut self) -> Operation {
        self.by_id = true;
        self
    }

    pub fn such_as(mut self, example: &'static str) -> Operation {
        self.example = Some(example);
        self
    }

    /// A JSON body.
    pub fn takes<T: JsonSchema>(mut self) -> Operation {
        self.sent = Some(("application/json", shape::<T>));
        self
    }

    /// A form, as browsers and clients of OAuth send it.
    pub fn takes_form<T: JsonSchema>(mut self) -> Operation {
        self.sent = Some(("application/x-www-form-urlencoded", shape::<T>));
        self
    }

    pub fn answers<T: JsonSchema>(self, status: u16) -> Operation {
        self.answering(status, Body::Json(shape::<T>))
    }

    /// 200 with a list of this name.
    pub fn lists<T: JsonSchema>(self, name: &'static str) -> Operation {
        self.answering(200, Body::List(name, shape::<T>))
    }

    /// An answer without a body: 204, or a 303 to elsewhere.
    pub fn ends(self, status: u16) -> Operation {
        self.answering(status, Body::Nothing)
    }

    /// A page for people.
    pub fn pages(self, statuses: &[u16]) -> Operation {
        statuses.iter().fold(self, |operation, status| operation.answering(*status, Body::Text("text/html")))
    }

    pub fn texts(self, status: u16) -> Operation {
        self.answering(status, Body::Text("text/plain"))
    }

    /// Problems beside those that every such route may answer.
    pub fn refuses(self, statuses: &[u16]) -> Operation {
        statuses.iter().fold(self, |operation, status| operation.answering(*status, Body::Problem))
    }

    fn answering(mut self, status: u16, body: Body) -> Operation {
        self.answers.push((status, body));
        self
    }

    /// As an operation of OpenAPI.
    pub fn describe(self, shapes: &mut Shapes) -> Value {
        let common = self.common_refusals();
        let (security, parameters) = (self.security(), self.parameters());
        let sent = self.sent.map(|(media, shape)| body(media, shape, shapes));
        let operation = self.refuses(&common);
        let mut described = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "security": security,
            "parameters": parameters,
            "responses": {},
        });
        if let Some(sent) = sent {
            described["requestBody"] = sent;
        }
        for (status, body) in &operation.answers {
            let answer = &mut described["responses"][status.to_string()];
            answer["description"] = json!(reason(*status));
            if let Some((media, schema)) = body.describe(shapes) {
                answer["content"][media]["schema"] = schema;
            }
        }
        described
    }

    /// What the guards and the readers of paths and bodies refuse.
    fn common_refusals(&self) -> Vec<u16> {
        let mut refusals = vec![403];
        if !self.open {
            refusals.extend([401, 429, 503]);
        }
        if self.path.contains('{') || self.sent.is_some() {
            refusals.push(400);
        }
        if self.sent.is_some() {
            refusals.extend([413, 415, 422]);
        }
        refusals
    }

    /// A key in either header, or the cookie of a session.
    fn security(&self) -> Value {
        match (self.open, self.method) {
            (true, _) => json!([]),
            (false, "get") => json!([{"bearer": []}, {"apiKey": []}, {"session": []}]),
            (false, _) => json!([{"bearer": []}, {"apiKey": []}, {"session": [], "csrf": []}]),
        }
    }

    fn parameters(&self) -> Vec<Value> {
        let names = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameter = |name: &str| {
            let kind = if self.by_id { json!({"type": "string", "format": "uuid"}) } else { json!({"type": "string"}) };
            let mut parameter = json!({"name": name, "in": "path", "required": true, "schema": kind});
            if let Some(example) = self.example {
                parameter["example"] = json!(example);
            }
            parameter
        };
        names.map(parameter).collect()
    }
}

fn body(media: &str, shape: Shape, shapes: &mut Shapes) -> Value {
    let schema = json!(shape(&mut shapes.sent));
    let needed = schema["required"].as_array().is_some_and(|names| !names.is_empty());
    json!({"required": needed, "content": {media: {"schema": schema}}})
}

impl Body {
    fn describe(&self, shapes: &mut Shapes) -> Option<(&'static str, Value)> {
        let answered = &mut shapes.answered;
        match self {
            Body::Nothing => None,
            Body::Json(shape) => Some(("application/json", json!(shape(answered)))),
            Body::List(name, shape) => {
                let list = json!({"type": "array", "items": shape(answered)});
                let object = json!({"type": "object", "properties": {*name: list}, "required": [name]});
                Some(("application/json", object))
            }
            Body::Text(media) => Some((media, json!({"type": "string"}))),
            Body::Problem => Some(("application/problem+json", json!(shape::<Problem>(answered)))),
        }
    }
}

fn shape<T: JsonSchema>(shapes: &mut SchemaGenerator) -> Schema {
    shapes.subschema_for::<T>()
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}
