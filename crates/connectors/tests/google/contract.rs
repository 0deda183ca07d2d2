//! Requests and answers held against Google's discovery documents where they are present.

use serde_json::Value;

use crate::support::contracts;

/// One API: where we put it, and its document.
pub struct Api {
    prefix: &'static str,
    document: Value,
}

pub fn apis() -> Option<Vec<Api>> {
    let folder = contracts::folder("google/discovery")?;
    let places = [
        ("/drive/v3/", "drive.v3.json"),
        ("/calendar/v3/", "calendar.v3.json"),
        ("/sheets/", "sheets.v4.json"),
        ("/docs/", "docs.v1.json"),
        ("/", "gmail.v1.json"),
    ];
    let read = |(prefix, file): (&'static str, &str)| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        Api { prefix, document: serde_json::from_str(&text).unwrap() }
    };
    Some(places.into_iter().map(read).collect())
}

/// The API and the method for a request.
pub fn method<'a>(apis: &'a [Api], verb: &str, path: &str) -> Option<(&'a Api, &'a Value)> {
    let path = path.replace("%40", "@");
    apis.iter().find_map(|api| {
        let rest = path.strip_prefix(api.prefix)?;
        let mut found = Vec::new();
        gather(&api.document, &mut found);
        let fitting = found.into_iter().filter(|method| method["httpMethod"] == verb);
        let template = |method: &Value| method.get("flatPath").unwrap_or(&method["path"]).as_str().unwrap().to_owned();
        let best = fitting.filter(|method| fits(&template(method), rest));
        best.min_by_key(|method| template(method).matches('{').count()).map(|method| (api, method))
    })
}

fn gather<'a>(node: &'a Value, found: &mut Vec<&'a Value>) {
    for method in node["methods"].as_object().into_iter().flat_map(|methods| methods.values()) {
        found.push(method);
    }
    for resource in node["resources"].as_object().into_iter().flat_map(|resources| resources.values()) {
        gather(resource, found);
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(part, given): (&&str, &&str)| match part.split_once('}') {
        Some((_, "")) => !given.contains(':'),
        Some((_, suffix)) => given.ends_with(suffix),
        None => part == given,
    };
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

impl Api {
    /// A request's query: every name is known, what is required is there, and values are among those allowed.
    pub fn check_query<'q>(&self, method: &Value, query: impl Iterator<Item = (&'q String, &'q String)>, who: &str) {
        let mut given = Vec::new();
        for (name, value) in query {
            given.push(name.clone());
            let parameter = method["parameters"].get(name).or_else(|| self.document["parameters"].get(name));
            let parameter = parameter.unwrap_or_else(|| panic!("{who}: `{name}` is not documented"));
            if let Some(allowed) = parameter["enum"].as_array() {
                assert!(allowed.iter().any(|allowed| allowed == value), "{who}: `{name}` may not be {value}");
            }
        }
        for (name, parameter) in method["parameters"].as_object().into_iter().flatten() {
            let missing = parameter["location"] == "query" && parameter["required"] == true && !given.contains(name);
            assert!(!missing, "{who}: `{name}` is missing");
        }
    }

    pub fn check_request(&self, method: &Value, body: &Value, who: &str) {
        match method["request"]["$ref"].as_str() {
            Some(schema) => self.check(schema, body, who),
            None => assert_eq!(*body, Value::Null, "{who}: no body is documented"),
        }
    }

    pub fn check_answer(&self, method: &Value, body: &Value, who: &str) {
        let schema = method["response"]["$ref"].as_str().unwrap_or_else(|| panic!("{who} has no documented answer"));
        self.check(schema, body, who);
    }

    fn check(&self, schema: &str, value: &Value, place: &str) {
        self.fits(&self.document["schemas"][schema], value, &format!("{place} {schema}"));
    }

    fn fits(&self, schema: &Value, value: &Value, place: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            return self.check(name, value, place);
        }
        let right = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            // 64 bits are written as text.
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64(),
            Some("number") => value.is_number(),
            _ => true,
        };
        assert!(right, "{place}: {value} is not {}", schema["type"]);
        if let (Some(allowed), Some(_)) = (schema["enum"].as_array(), value.as_str()) {
            assert!(allowed.contains(value), "{place} may not be {value}");
        }
        for item in value.as_array().into_iter().flatten() {
            self.fits(&schema["items"], item, place);
        }
        let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return };
        for (name, value) in object {
            let property = properties.get(name).unwrap_or_else(|| panic!("{place}: `{name}` is not declared"));
            self.fits(property, value, &format!("{place}.{name}"));
        }
    }
}
