//! How QuickBooks says no: `Fault` in its own answers, lower case in those of the gateway before it.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A refusal with the vendor's code.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub status: StatusCode,
    code: String,
    message: String,
    detail: String,
    element: Option<String>,
    kind: &'static str,
    /// The gateway refused it, before QuickBooks saw it.
    gateway: bool,
}

impl Fault {
    /// A refusal of what was sent: HTTP 400.
    pub(super) fn validation(code: &str, message: &str, detail: impl Into<String>) -> Fault {
        Fault {
            status: StatusCode::BAD_REQUEST,
            code: code.to_owned(),
            message: message.to_owned(),
            detail: detail.into(),
            element: None,
            kind: "ValidationFault",
            gateway: false,
        }
    }

    pub(super) fn about(mut self, element: &str) -> Fault {
        self.element = Some(element.to_owned());
        self
    }

    pub(super) fn missing(element: &str) -> Fault {
        let detail = format!("Required parameter {element} is missing in the request");
        Fault::validation("2020", "Required param missing, need to supply the required value for the API", detail)
            .about(element)
    }

    pub(super) fn not_found(what: &str) -> Fault {
        let detail = format!(
            "Object Not Found : Something you're trying to use has been made inactive. Check the fields with accounts, \
             customers, items, vendors or employees. ({what})"
        );
        Fault::validation("610", "Object Not Found", detail)
    }

    pub(super) fn bad_reference(element: &str, id: &str) -> Fault {
        let detail = format!("Invalid Reference Id : {element} assigned to id {id} is not valid");
        Fault::validation("2500", "Invalid Reference Id", detail).about(element)
    }

    pub(super) fn stale() -> Fault {
        let detail = "Stale Object Error : You and another user were working on this at the same time. The other user \
                      finished before you did, so your work was not saved.";
        Fault::validation("5010", "Stale Object Error", detail)
    }

    pub(super) fn duplicate_name() -> Fault {
        let detail = "The name supplied already exists. : null";
        Fault::validation("6240", "Duplicate Name Exists Error", detail)
    }

    pub(super) fn duplicate_number(number: &str) -> Fault {
        let detail = format!(
            "Duplicate Document Number Error : You must specify a different number. DocNumber={number} is assigned already"
        );
        Fault::validation("6140", "Duplicate Document Number Error", detail)
    }

    pub(super) fn rule(detail: impl Into<String>) -> Fault {
        let detail = detail.into();
        Fault::validation("6000", "A business validation error has occurred while processing your request", detail)
    }

    pub(super) fn unsupported(detail: impl Into<String>) -> Fault {
        Fault::validation("500", "Unsupported Operation", detail)
    }

    pub(super) fn query(code: &str, detail: impl Into<String>) -> Fault {
        let message = if code == "4001" { "Invalid query" } else { "Error parsing query" };
        Fault::validation(code, message, detail)
    }

    /// 401 of the gateway.
    pub(super) fn unauthenticated() -> Fault {
        Fault::gateway(
            StatusCode::UNAUTHORIZED,
            "3200",
            "message=AuthenticationFailed; errorCode=003200; statusCode=401",
            "Token expired: the access token is invalid or has expired",
            "AUTHENTICATION",
        )
    }

    /// 403 of the gateway: a good token for another company.
    pub(super) fn foreign_company() -> Fault {
        Fault::gateway(
            StatusCode::FORBIDDEN,
            "3100",
            "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403",
            "The application is not authorized for this company",
            "AUTHORIZATION",
        )
    }

    /// 429 of the gateway; it names no time to wait.
    pub(super) fn throttled() -> Fault {
        Fault::gateway(
            StatusCode::TOO_MANY_REQUESTS,
            "3001",
            "message=ThrottleExceeded; errorCode=003001; statusCode=429",
            "The request limit was reached",
            "SERVICE",
        )
    }

    fn gateway(status: StatusCode, code: &str, message: &str, detail: &str, kind: &'static str) -> Fault {
        Fault { status, gateway: true, kind, ..Fault::validation(code, message, detail) }
    }

    pub(super) fn with_status(status: StatusCode) -> Fault {
        match status {
            StatusCode::UNAUTHORIZED => Fault::unauthenticated(),
            StatusCode::FORBIDDEN => Fault {
                status,
                kind: "AuthorizationFault",
                ..Fault::validation("120", "Authorization Failure", "AuthorizationFailed : The user lost the rights")
            },
            StatusCode::NOT_FOUND => Fault { status, ..Fault::not_found("path") },
            StatusCode::TOO_MANY_REQUESTS => Fault::throttled(),
            status if status.is_server_error() => Fault {
                status,
                kind: "SystemFault",
                ..Fault::validation(
                    "10000",
                    "An application error has occurred while processing your request",
                    "System Failure Error",
                )
            },
            status => Fault { status, ..Fault::rule("refused on demand") },
        }
    }

    /// The `Fault` object, as batches and queries carry it.
    pub(super) fn inner(&self) -> Value {
        let mut error = json!({"Message": self.message, "Detail": self.detail, "code": self.code});
        if let Some(element) = &self.element {
            error["element"] = json!(element);
        }
        json!({"Error": [error], "type": self.kind})
    }

    pub(super) fn body(&self) -> Value {
        if !self.gateway {
            return json!({"Fault": self.inner()});
        }
        let error = json!({"message": self.message, "detail": self.detail, "code": self.code, "element": null});
        json!({"warnings": null, "intuitObject": null, "fault": {"error": [error], "type": self.kind}, "report": null,
            "queryResponse": null, "batchItemResponse": [], "attachableResponse": [], "requestId": null, "status": null})
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        respond(self.status, &self.body())
    }
}

pub(super) fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json;charset=UTF-8")], body.to_string()).into_response()
}
