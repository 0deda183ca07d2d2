//! Filters and order of a list of records.

use super::{envelope::Query, state::Record};

/// The records that the query asks for, in its order.
pub(crate) fn select<'a>(records: &'a [Record], query: &Query) -> Vec<&'a Record> {
    let mut found: Vec<&Record> = records.iter().filter(|record| fits(record, query)).collect();
    match query.get("order") {
        Some("name") => found.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("content") => found.sort_by(|a, b| a.content.cmp(&b.content)),
        Some("ttl") => found.sort_by_key(|record| record.ttl),
        Some("proxied") => found.sort_by_key(|record| record.proxied),
        Some("type") => found.sort_by(|a, b| a.kind.cmp(&b.kind)),
        _ => found.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name))),
    }
    if query.get("direction") == Some("desc") {
        found.reverse();
    }
    found
}

fn fits(record: &Record, query: &Query) -> bool {
    let comment = record.comment.as_deref().unwrap_or_default();
    let texts = [("name", record.name.as_str()), ("content", &record.content), ("comment", comment)];
    let mut answers: Vec<bool> = texts.iter().flat_map(|(name, text)| compared(name, text, query)).collect();
    answers.extend(query.get("type").map(|wanted| record.kind.eq_ignore_ascii_case(wanted)));
    answers.extend(query.get("proxied").map(|wanted| record.proxied == (wanted == "true")));
    answers.extend(query.get("comment.present").map(|_| record.comment.is_some()));
    answers.extend(query.get("comment.absent").map(|_| record.comment.is_none()));
    let any = query.get("match") == Some("any") && !answers.is_empty();
    let matched = if any { answers.contains(&true) } else { !answers.contains(&false) };
    // `search` is a condition of its own, whatever `match` says.
    let searched = query.get("search").is_none_or(|words| {
        let row = format!("{} {} {} {comment}", record.kind, record.name, record.content).to_lowercase();
        row.contains(&words.to_lowercase())
    });
    matched && searched
}

fn compared(name: &str, text: &str, query: &Query) -> Vec<bool> {
    let text = text.to_lowercase();
    let asked = |operator: &str| query.get(&format!("{name}{operator}")).map(str::to_lowercase);
    let answers = [
        asked("").map(|wanted| text == wanted),
        asked(".exact").map(|wanted| text == wanted),
        asked(".contains").map(|wanted| text.contains(&wanted)),
        asked(".startswith").map(|wanted| text.starts_with(&wanted)),
        asked(".endswith").map(|wanted| text.ends_with(&wanted)),
    ];
    answers.into_iter().flatten().collect()
}
