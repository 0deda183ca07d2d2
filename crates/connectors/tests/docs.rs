//! The pages of the connectors are held to the catalogue: each tool has its row, and each row its tool.

use std::collections::BTreeMap;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(connector: &str) -> String {
    let path = root().join(format!("docs/connectors/{connector}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of each row of the tools' table, by the tool.
fn rows(connector: &str) -> BTreeMap<String, Vec<String>> {
    let page = page(connector);
    let table = page.split("## Tools").nth(1).unwrap_or_else(|| panic!("{connector} has no section Tools"));
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells.len(), 7, "{connector}: {line}");
        let tool = cells[0].trim_matches('`').to_owned();
        assert!(rows.insert(tool, cells).is_none(), "{connector}: two rows: {line}");
    }
    rows
}

#[test]
fn every_tool_has_a_row_and_every_row_a_tool() {
    for connector in connectors::all() {
        let mut rows = rows(connector.id);
        for tool in &connector.tools {
            let place = format!("{}.{}", connector.id, tool.spec.name);
            let row = rows.remove(tool.spec.name).unwrap_or_else(|| panic!("{place} has no row"));
            assert!(row[1..4].iter().all(|cell| !cell.is_empty()), "{place}: operations, scopes and cost: {row:?}");
            assert_eq!(row[4], tool.spec.effect.as_str(), "{place}");
            assert_eq!(row[5], if tool.spec.dry_run { "yes" } else { "" }, "{place}");
            assert_eq!(row[6], words(&tool.spec), "{place}: whose words it answers with, and whether they leave");
        }
        assert!(rows.is_empty(), "{} has no such tools: {:?}", connector.id, rows.keys());
    }
}

/// Whether its answers hold words of strangers, and whether it lets words leave the house.
fn words(spec: &sdk::tool::Spec) -> String {
    let marks = [(spec.by_strangers, "strangers'"), (spec.sends, "leave")];
    marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_page_says_how_to_connect_and_every_way_is_linked() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let index = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    for connector in connectors::all() {
        let page = page(connector.id);
        assert!(page.contains("## Connecting"), "{}", connector.id);
        assert!(index.contains(&format!("connectors/{}.md", connector.id)), "{} is not in the index", connector.id);
        assert!(readme.contains(&format!("docs/connectors/{}.md", connector.id)), "README has no {}", connector.id);
        for setting in connector.config_schema["properties"].as_object().into_iter().flat_map(|all| all.keys()) {
            assert!(page.contains(&format!("`{setting}`")), "{}: the setting {setting}", connector.id);
        }
        for auth in &connector.auth {
            let keys = match auth {
                sdk::Auth::Keys(keys) => keys.to_vec(),
                sdk::Auth::OAuth2(oauth) => vec![oauth.client_id, oauth.client_secret],
                sdk::Auth::ServiceAccount(account) => vec![account.key],
            };
            for key in keys {
                assert!(page.contains(key.env), "{}: the variable {}", connector.id, key.env);
            }
        }
    }
}
