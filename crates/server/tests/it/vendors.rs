//! A simulated business with all its vendors, and servers that are connected to it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use sandbox::{Options, Sandbox};
use sdk::Auth;
use serde_json::Value;
use server::clock::Clock;
use server::config::{Config, Sources};

use crate::binary::Binary;
use crate::support::KEY;

/// Every ecosystem that has a wire with limits.
pub const ALL: [&str; 7] =
    ["gohighlevel", "quickbooks", "google_workspace", "amazon", "cloudflare", "godaddy", "slack"];

/// A business of a hundred people.
pub async fn start(change: impl FnOnce(&mut Options)) -> Sandbox {
    let mut options = Options::new(Clock::system().now());
    options.contacts = 100;
    change(&mut options);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// What connects these ecosystems: the file `enterprise-mcp.toml` in this folder, and the variables with the secrets.
pub fn connect(folder: &Path, vendor: &Sandbox, ecosystems: &[&str]) -> HashMap<String, String> {
    let mut file = String::new();
    let mut secrets = HashMap::new();
    for connector in connectors::all().into_iter().filter(|connector| ecosystems.contains(&connector.id)) {
        let account = vendor.account(connector.id).unwrap();
        let settings: toml::Table = serde_json::from_value(account.config).unwrap();
        file.push_str(&format!("[connectors.{}]\n{}\n", connector.id, toml::to_string(&settings).unwrap()));
        let keys = connector
            .auth
            .iter()
            .map(keys)
            .find(|keys| keys.iter().all(|(name, _)| account.credentials.contains_key(*name)));
        for (name, variable) in keys.expect("the sandbox has all secrets of one way to authenticate") {
            secrets.insert(variable.to_owned(), account.credentials[name].clone());
        }
    }
    std::fs::write(folder.join("enterprise-mcp.toml"), file).unwrap();
    secrets
}

/// The same for vendors that count nothing, so that nothing is held back.
pub fn connect_without_limits(folder: &Path, vendor: &Sandbox, ecosystems: &[&str]) -> HashMap<String, String> {
    let secrets = connect(folder, vendor, ecosystems);
    let path = folder.join("enterprise-mcp.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let file = ecosystems.iter().fold(file, |file, ecosystem| {
        let section = format!("[connectors.{ecosystem}]\n");
        file.replace(&section, &format!("{section}requests_per_second = 1000\n"))
    });
    std::fs::write(path, file).unwrap();
    secrets
}

/// The names of a way's secrets, and their variables.
fn keys(auth: &Auth) -> Vec<(&'static str, &'static str)> {
    let keys = match auth {
        Auth::Keys(keys) => keys.to_vec(),
        Auth::OAuth2(oauth) => {
            [Some(oauth.client_id), Some(oauth.client_secret), oauth.refresh_token].into_iter().flatten().collect()
        }
        Auth::ServiceAccount(service) => vec![service.key],
    };
    keys.iter().map(|key| (key.name, key.env)).collect()
}

/// The configuration of a server in this process that is connected to these.
pub fn config(folder: &Path, vendor: &Sandbox, ecosystems: &[&str], variables: &[(&str, &str)]) -> Config {
    let mut environment = connect(folder, vendor, ecosystems);
    let usual = [("PORT", "0"), ("MCP_API_KEY", KEY), ("SYNC_ENABLED", "false"), ("CALLS_PER_MINUTE", "1000000")];
    environment.extend(usual.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let file = Some(folder.join("enterprise-mcp.toml"));
    let mut config = Config::load(&Sources { file, environment, ..Sources::default() }).unwrap();
    config.server.data_dir = folder.join("data");
    config
}

/// The real binary in this folder, where `enterprise-mcp.toml` stands.
pub fn serve(folder: &Path, secrets: &HashMap<String, String>, variables: &[(&str, &str)]) -> Binary {
    let secrets = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Binary::start(folder, [("SYNC_ENABLED", "false")].into_iter().chain(secrets).chain(variables.iter().copied()))
}

/// The whole answer of a call, or nothing when the server is gone.
pub async fn call(http: &reqwest::Client, url: &str, tool: &str, arguments: &Value) -> Option<Value> {
    let request = http.post(format!("{url}/mcp/run/{tool}")).bearer_auth(KEY).timeout(Duration::from_secs(60));
    request.json(arguments).send().await.ok()?.json().await.ok()
}
