//! A vendor's operations, one a line: `name | effect | METHOD /path | query | body | scope | about | limit`.
//!
//! The effect is `read`, `write`, `destructive` or `refused`; what is refused is listed so that nobody looks for it in
//! vain, and `about` says why. A path may carry a fixed query. Names of `query` and `body` stand between commas, `*`
//! marks those that the vendor wants; a body that begins with `!` takes no other members. `limit` is in the connector's
//! own terms and may be left out.

use sdk::http::Method;
use sdk::{Effect, Error, Result};

/// One operation. Its texts live as long as the program, so that audit and metrics can name the path.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub name: &'static str,
    /// `None`: refused on principle.
    pub effect: Option<Effect>,
    method: &'static str,
    /// As the vendor documents it, ids in braces.
    pub path: &'static str,
    /// What the query always holds.
    pub fixed: &'static str,
    query: &'static str,
    body: &'static str,
    pub scope: &'static str,
    pub about: &'static str,
    pub limit: &'static str,
}

/// Every operation of a table, in its order. A line that cannot be read is left out; a test holds that there is none.
pub fn all(table: &'static str) -> impl Iterator<Item = Operation> {
    lines(table).filter_map(read)
}

/// The lines of a table that are operations.
pub fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

pub fn find(table: &'static str, name: &str) -> Option<Operation> {
    all(table).find(|operation| operation.name == name)
}

/// The operation of this name, or an error that names those that are like it.
pub fn named(table: &'static str, name: &str) -> Result<Operation> {
    let name = name.trim();
    find(table, name).ok_or_else(|| {
        let shown = sdk::text::cut(name, 80);
        let near = nearest(table, name);
        let hint = if near.is_empty() { "find it with search_operations".into() } else { format!("like it: {near}") };
        Error::invalid_input(format!("operation: there is no `{shown}`; {hint}"))
    })
}

fn nearest(table: &'static str, name: &str) -> String {
    let mut near: Vec<(f64, &str)> = all(table)
        .map(|operation| (strsim::jaro_winkler(operation.name, name), operation.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

/// An operation, if the line holds one.
pub fn read(line: &'static str) -> Option<Operation> {
    let mut columns = line.split('|').map(str::trim);
    let (name, effect, place) = (columns.next()?, columns.next()?, columns.next()?);
    let (query, body, scope, about) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let limit = columns.next().unwrap_or_default();
    let (method, path) = place.split_once(' ')?;
    let (path, fixed) = path.split_once('?').unwrap_or((path, ""));
    let effect = match effect {
        "read" => Some(Effect::Read),
        "write" => Some(Effect::Write),
        "destructive" => Some(Effect::Destructive),
        "refused" => None,
        _ => return None,
    };
    let complete = columns.next().is_none() && !name.is_empty() && path.starts_with('/') && !about.is_empty();
    complete.then_some(Operation { name, effect, method, path, fixed, query, body, scope, about, limit })
}

impl Operation {
    pub fn method(&self) -> Result<Method> {
        Method::from_bytes(self.method.as_bytes())
            .map_err(|e| Error::internal(format!("{} has no method", self.name)).with_source(e))
    }

    pub fn method_name(&self) -> &'static str {
        self.method
    }

    /// What it does, in the words of the table.
    pub fn effect_name(&self) -> &'static str {
        self.effect.map_or("refused", Effect::as_str)
    }

    /// The names in the braces of the path, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
    }

    /// The names of the query, each with whether the vendor wants it.
    pub fn query(&self) -> impl Iterator<Item = (&'static str, bool)> {
        names(self.query)
    }

    /// The members of the body, each with whether the vendor wants it.
    pub fn body(&self) -> impl Iterator<Item = (&'static str, bool)> {
        names(self.body.trim_start_matches('!'))
    }

    pub fn takes_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// Whether the body takes the members of the table and no others.
    pub fn is_closed(&self) -> bool {
        self.body.starts_with('!')
    }

    /// The operation that shows what this one changes: a GET of the same path.
    pub fn shown_by(&self, table: &'static str) -> Option<Operation> {
        reading(table, |operation| operation.path == self.path)
    }

    /// The operation that shows one of what this one writes: a GET of the same path and an id.
    pub fn shown_by_id(&self, table: &'static str) -> Option<Operation> {
        let one =
            |path: &str| path.strip_prefix(self.path).is_some_and(|rest| rest.starts_with("/{") && rest.ends_with('}'));
        reading(table, |operation| one(operation.path))
    }

    /// Whether a value in this place of the path would make it the path of another operation:
    /// `DELETE /files/{fileId}` with `trash` empties the trash.
    pub fn is_led_elsewhere(&self, table: &'static str, name: &str, value: &str) -> bool {
        let brace = format!("{{{name}}}");
        let Some((before, after)) = self.path.split_once(&brace) else { return false };
        let count = after.split('/').count();
        all(table).any(|other| {
            let Some(rest) = other.path.strip_prefix(before) else { return false };
            rest.split('/').count() == count
                && rest.split('/').next().is_some_and(|literal| literal.eq_ignore_ascii_case(value.trim()))
        })
    }
}

fn reading(table: &'static str, fits: impl Fn(&Operation) -> bool) -> Option<Operation> {
    all(table).find(|operation| {
        operation.method == "GET"
            && operation.effect == Some(Effect::Read)
            && operation.fixed.is_empty()
            && fits(operation)
    })
}

fn names(column: &'static str) -> impl Iterator<Item = (&'static str, bool)> {
    let given = column.split(',').map(str::trim).filter(|name| !name.is_empty());
    given.map(|name| name.strip_suffix('*').map_or((name, false), |name| (name, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
        # Files.
        get_file | read | GET /files/{fileId} | fields | | files:read | Shows a file.
        delete_file | destructive | DELETE /files/{fileId} | | | files | Deletes a file for good. | 10
        empty_trash | refused | DELETE /files/trash | | | files | Deletes everything in the trash.
        void_file | write | POST /files?operation=void | | !Id*,Token | files | Voids a file.
    ";

    #[test]
    fn a_line_is_an_operation() {
        let all: Vec<_> = all(TABLE).collect();
        assert_eq!(all.len(), 4);
        assert_eq!(all[1].limit, "10");
        assert_eq!((all[2].effect, all[2].effect_name()), (None, "refused"));
        assert_eq!((all[3].path, all[3].fixed, all[3].is_closed()), ("/files", "operation=void", true));
        assert_eq!(all[3].body().collect::<Vec<_>>(), [("Id", true), ("Token", false)]);
        assert_eq!(all[0].ids().collect::<Vec<_>>(), ["fileId"]);
        for wrong in [
            "a | read | GET /x",
            "a | maybe | GET /x | | | | x",
            "a | read | /x | | | | x",
            "a | read | GET /x | | | |",
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_shows_the_present_is_found() {
        let delete = find(TABLE, "delete_file").unwrap();
        assert_eq!(delete.shown_by(TABLE).unwrap().name, "get_file");
        assert_eq!(find(TABLE, "void_file").unwrap().shown_by_id(TABLE).unwrap().name, "get_file");
    }

    #[test]
    fn an_id_is_no_way_to_another_operation() {
        let delete = find(TABLE, "delete_file").unwrap();
        assert!(delete.is_led_elsewhere(TABLE, "fileId", "trash"));
        assert!(!delete.is_led_elsewhere(TABLE, "fileId", "F1"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_like_it() {
        let error = named(TABLE, "delete_files").unwrap_err();
        assert!(error.message.contains("delete_file"), "{error}");
        assert!(named(TABLE, "zzz").unwrap_err().message.contains("search_operations"));
    }
}
