//! What the documents name is there: files, functions in them, and the tests that hold what SECURITY.md promises.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands in ticks outside of examples of code.
fn ticked(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// The crates' folders.
fn crates() -> Vec<PathBuf> {
    std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The first of these folders that has it.
fn find(word: &str, within: &[PathBuf]) -> Option<PathBuf> {
    within.iter().map(|folder| folder.join(word)).find(|path| path.exists())
}

#[test]
fn every_file_and_every_function_that_is_named_is_there() {
    let server = root().join("crates/server");
    let mut places = vec![root(), server.join("src"), server.join("tests/it"), server];
    places.extend(crates().into_iter().flat_map(|one| [one.join("src"), one.join("tests"), one]));
    let mut seen = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for word in ticked(&read(&root().join(document))) {
            let (path, item) = word.split_once("::").map_or((word, None), |(path, item)| (path, Some(item)));
            let is_path = path.ends_with(".rs") || (path.ends_with('/') && !path.starts_with('/'));
            // `<vendor>` stands for any, `mod.rs` for the one that is being written; addresses are none of ours.
            if !is_path || path == "mod.rs" || path.contains(['<', ' ', ':', '*', '…']) {
                continue;
            }
            let found = find(path, &places).unwrap_or_else(|| panic!("{document} names `{word}`, which is not there"));
            if let Some(name) = item.and_then(|item| item.rsplit("::").next()) {
                assert!(defines(&found, name), "{document} names `{word}`: {} has no `{name}`", found.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen} paths");
}

fn defines(file: &Path, name: &str) -> bool {
    let (text, name) = (read(file), name.trim_end_matches("()"));
    ["fn", "struct", "enum", "const", "type", "static", "trait"].iter().any(|kind| {
        let begins = format!("{kind} {name}");
        let ends = |next: char| !next.is_alphanumeric() && next != '_';
        text.match_indices(&begins).any(|(at, _)| text[at + begins.len()..].starts_with(ends))
    })
}

/// The column "held by" of SECURITY.md.
#[test]
fn what_holds_a_promise_is_a_test() {
    let text = read(&root().join("SECURITY.md"));
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| who | wants"));
    let places =
        [root().join("crates/server/tests/it"), root().join("crates/server"), root(), root().join("fuzz/src/bin")];
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        let held = ticked(cells[3]);
        assert!(!held.is_empty(), "nothing holds it: {row}");
        for name in held {
            let found = find(name, &places).or_else(|| find(&format!("{name}.rs"), &places));
            let found = found.unwrap_or_else(|| panic!("`{name}` is not there: {row}"));
            assert!(tests(&found), "`{name}` has no test: {row}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} tests");
}

/// Whether a file, or one in the folder, has a test or is a fuzz target.
fn tests(path: &Path) -> bool {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().any(|entry| tests(&entry.unwrap().path()));
    }
    let text = path.extension().filter(|end| *end == "rs").map(|_| read(path)).unwrap_or_default();
    ["#[test]", "#[tokio::test", "fuzz_target!"].iter().any(|mark| text.contains(mark))
}

/// How many operations of the vendors there are, to the next hundred.
#[test]
fn the_operations_are_as_many_as_is_said() {
    let vendors = std::fs::read_dir(root().join("crates/connectors/src")).unwrap();
    let tables = vendors.map(|vendor| vendor.unwrap().path().join("operations.txt")).filter(|table| table.exists());
    let callable = |line: &&str| {
        let effect = line.split('|').nth(1).map(str::trim);
        !line.starts_with('#') && effect.is_some_and(|effect| effect != "refused")
    };
    let operations: usize = tables.map(|table| read(&table).lines().filter(callable).count()).sum();
    let said = format!("some {}", (operations + 50) / 100 * 100);
    for document in ["README.md", "CHANGELOG.md"] {
        assert!(read(&root().join(document)).contains(&said), "{document}: there are {operations}");
    }
}
