//! The catalogue: every tool by its canonical id, wherever it is implemented.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use sdk::connector::ErasedTool;
use sdk::{ErasedConnector, Error, Result, Spec, Tool};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::actor::{Actor, Scope};
use crate::calls;
use crate::policy::Policy;

/// Whoever may ask for something can ask what became of it, whatever tools a key or an address is for.
pub const OF_WHAT_WAITS: [&str; 2] = ["system.get_approval", "system.wait_for_approval"];

/// The tools of this installation, in the order of their ids.
pub struct Catalogue {
    entries: BTreeMap<String, Arc<Entry>>,
    /// The ids by the name on MCP.
    mcp_names: HashMap<String, Arc<Entry>>,
}

/// One tool as the front doors show it and `calls::call` runs it.
pub struct Entry {
    /// `gohighlevel.read_contacts`
    pub id: String,
    /// `gohighlevel_read_contacts`: MCP clients refuse the dot.
    pub mcp_name: String,
    pub ecosystem: &'static str,
    pub spec: Spec,
    /// SHA-256 of what a model sees of the tool; an approval holds for one version.
    pub version: String,
    pub run: Run,
    /// Made when the tool is first called: most are not, and each takes memory.
    validator: OnceLock<jsonschema::Validator>,
}

/// Where a tool is implemented.
pub enum Run {
    /// At a vendor.
    Connector(ErasedTool),
    /// In the brain or the server.
    BuiltIn(Arc<Tool<calls::Scope>>),
}

impl Catalogue {
    pub fn new(connectors: &[ErasedConnector], built_in: Vec<(&'static str, Tool<calls::Scope>)>) -> Result<Catalogue> {
        let vendors = connectors
            .iter()
            .flat_map(|c| c.tools.iter().map(|tool| Entry::new(c.id, tool.spec.clone(), Run::Connector(tool.clone()))));
        let ours = built_in
            .into_iter()
            .map(|(ecosystem, tool)| Entry::new(ecosystem, tool.spec.clone(), Run::BuiltIn(Arc::new(tool))));
        let mut entries = BTreeMap::new();
        for entry in vendors.chain(ours) {
            if let Some(double) = entries.insert(entry.id.clone(), Arc::new(entry)) {
                return Err(Error::internal(format!("the tool {} is defined twice", double.id)));
            }
        }
        let mcp_names = entries.values().map(|entry| (entry.mcp_name.clone(), entry.clone())).collect();
        Ok(Catalogue { entries, mcp_names })
    }

    /// The tool by its id or by its name on MCP.
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(name).or_else(|| self.mcp_names.get(name))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> + Clone {
        self.entries.values()
    }

    /// The id that is most like an unknown one, for the error message.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let likeness = |entry: &Arc<Entry>| strsim::jaro_winkler(&entry.mcp_name, &name.replace('.', "_"));
        self.entries
            .values()
            .map(|entry| (likeness(entry), entry))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, entry)| entry.id.as_str())
    }
}

impl Entry {
    /// Checks the arguments; the message names the field.
    pub fn validate(&self, arguments: &Value) -> Result<()> {
        let validator = self.validator()?;
        if validator.is_valid(arguments) {
            return self.spec.check(arguments);
        }
        let faults: Vec<String> = validator.iter_errors(arguments).take(5).map(|fault| say(&fault)).collect();
        Err(Error::invalid_input(faults.join("; ")))
    }

    fn validator(&self) -> Result<&jsonschema::Validator> {
        if let Some(validator) = self.validator.get() {
            return Ok(validator);
        }
        let schema = Value::Object(self.spec.input.as_ref().clone());
        let made = jsonschema::validator_for(&schema)
            .map_err(|e| Error::internal(format!("the schema of {} is not valid: {e}", self.id)))?;
        Ok(self.validator.get_or_init(|| made))
    }

    /// Whether there are calls of it that this caller may make or ask for.
    pub fn is_for(&self, actor: &Actor) -> bool {
        let may = self.spec.can_read() || actor.may(Scope::needed(self.spec.effect));
        may && actor.reaches_tool(&self.id)
    }

    /// What the tool answers: either its answer or, where a person may have to decide first, the approval.
    pub fn output_schema(&self, policy: &Policy) -> Map<String, Value> {
        let mut schema = self.spec.output_schema();
        if policy.may_ask(&self.id, self.spec.effect) {
            or_pending(&mut schema);
        }
        schema
    }

    fn new(ecosystem: &'static str, spec: Spec, run: Run) -> Entry {
        let id = format!("{ecosystem}.{}", spec.name);
        let input = Value::Object(spec.input.as_ref().clone());
        let data = spec.varying.map_or("", |varying| varying.data);
        let version = hex::encode(Sha256::digest(format!("{}\n{}\n{}{data}", id, spec.description, input)));
        Entry { mcp_name: id.replace('.', "_"), id, ecosystem, spec, version, run, validator: OnceLock::new() }
    }
}

/// Clients refuse combinators at the top, so every field becomes optional instead.
fn or_pending(schema: &mut Map<String, Value>) {
    schema.remove("required");
    schema.entry("properties").or_insert_with(|| json!({}))["pending_approval"] = pending_schema();
}

fn pending_schema() -> Value {
    json!({
        "type": "object",
        "description": "Present instead of the answer while a person has to decide.",
        "properties": {
            "approval_id": {"type": "string"},
            "reason": {"type": "string"},
            "expires_at": {"type": "string"},
            "url": {"type": "string", "description": "Where a person decides"},
            "next": {"type": "string"}
        }
    })
}

/// One fault in words: the field, then what is wrong with it.
fn say(fault: &jsonschema::ValidationError<'_>) -> String {
    let path = fault.instance_path().to_string();
    let field = path.trim_start_matches('/').replace('/', ".");
    let text: String = fault.to_string().chars().take(300).collect();
    if field.is_empty() { text } else { format!("{field}: {text}") }
}
