//! Drive's search: `name contains 'quote' and not (trashed = true or 'id' in parents)`.

use super::{reply::Refusal, state::File};
use crate::clock::parse;

/// A question about a file.
#[derive(Debug)]
pub(super) enum Query {
    All,
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
    Term { field: String, operator: String, value: String },
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
    Open,
    Close,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
        let invalid = || Refusal::parameter("q", "Invalid Value");
        let tokens = tokens(text).ok_or_else(invalid)?;
        if tokens.is_empty() {
            return Ok(Query::All);
        }
        let mut rest = tokens.as_slice();
        let query = either(&mut rest).filter(|_| rest.is_empty()).ok_or_else(invalid)?;
        if query.known() { Ok(query) } else { Err(invalid()) }
    }

    pub(super) fn fits(&self, file: &File) -> bool {
        match self {
            Query::All => true,
            Query::And(a, b) => a.fits(file) && b.fits(file),
            Query::Or(a, b) => a.fits(file) || b.fits(file),
            Query::Not(a) => !a.fits(file),
            Query::Term { field, operator, value } => term(file, field, operator, value),
        }
    }

    /// Whether words within files are asked for; such an answer cannot be ordered.
    pub(super) fn is_full_text(&self) -> bool {
        match self {
            Query::All => false,
            Query::And(a, b) | Query::Or(a, b) => a.is_full_text() || b.is_full_text(),
            Query::Not(a) => a.is_full_text(),
            Query::Term { field, .. } => field == "fullText",
        }
    }

    fn known(&self) -> bool {
        match self {
            Query::All => true,
            Query::And(a, b) | Query::Or(a, b) => a.known() && b.known(),
            Query::Not(a) => a.known(),
            Query::Term { field, operator, value } => match field.as_str() {
                "name" | "mimeType" => matches!(operator.as_str(), "contains" | "=" | "!="),
                "fullText" => operator == "contains",
                "trashed" | "starred" | "sharedWithMe" => matches!(operator.as_str(), "=" | "!="),
                "modifiedTime" | "createdTime" => operator != "contains" && operator != "in" && parse(value).is_some(),
                "parents" | "owners" => operator == "in",
                _ => false,
            },
        }
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '\'' => {
                let mut inner = String::new();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        '\\' => inner.push(letters.next().filter(|c| matches!(c, '\'' | '\\'))?),
                        other => inner.push(other),
                    }
                }
                tokens.push(Token::Text(inner));
            }
            '=' | '!' | '<' | '>' => {
                let mut sign = letter.to_string();
                sign.extend(letters.next_if_eq(&'='));
                tokens.push(Token::Sign(sign));
            }
            _ if letter.is_alphanumeric() => {
                let mut word = letter.to_string();
                while let Some(letter) = letters.next_if(|c| c.is_alphanumeric()) {
                    word.push(letter);
                }
                tokens.push(Token::Word(word));
            }
            _ => return None,
        }
    }
    Some(tokens)
}

fn either(rest: &mut &[Token]) -> Option<Query> {
    let mut query = both(rest)?;
    while next_is(rest, "or") {
        query = Query::Or(Box::new(query), Box::new(both(rest)?));
    }
    Some(query)
}

fn both(rest: &mut &[Token]) -> Option<Query> {
    let mut query = single(rest)?;
    while next_is(rest, "and") {
        query = Query::And(Box::new(query), Box::new(single(rest)?));
    }
    Some(query)
}

fn single(rest: &mut &[Token]) -> Option<Query> {
    if next_is(rest, "not") {
        return Some(Query::Not(Box::new(single(rest)?)));
    }
    let (first, after) = rest.split_first()?;
    *rest = after;
    match first {
        Token::Open => {
            let query = either(rest)?;
            let (Token::Close, after) = rest.split_first()? else { return None };
            *rest = after;
            Some(query)
        }
        // `'id' in parents`
        Token::Text(value) => {
            let [Token::Word(operator), Token::Word(field), after @ ..] = rest else { return None };
            let query = Query::Term { field: field.clone(), operator: operator.clone(), value: value.clone() };
            *rest = after;
            (operator == "in").then_some(query)
        }
        Token::Word(field) => {
            let [Token::Word(operator) | Token::Sign(operator), Token::Text(value) | Token::Word(value), after @ ..] =
                rest
            else {
                return if field == "sharedWithMe" { Some(word(field, "true")) } else { None };
            };
            let query = Query::Term { field: field.clone(), operator: operator.clone(), value: value.clone() };
            *rest = after;
            Some(query)
        }
        _ => None,
    }
}

fn word(field: &str, value: &str) -> Query {
    Query::Term { field: field.to_owned(), operator: "=".into(), value: value.to_owned() }
}

fn next_is(rest: &mut &[Token], word: &str) -> bool {
    let Some((Token::Word(first), after)) = rest.split_first() else { return false };
    let found = first == word;
    if found {
        *rest = after;
    }
    found
}

fn term(file: &File, field: &str, operator: &str, value: &str) -> bool {
    let compare = |own: &str| match operator {
        "=" => own == value,
        "!=" => own != value,
        // Beginnings of words, as Drive looks for names.
        _ => {
            words(own).any(|word| word.starts_with(&value.to_lowercase()))
                || own.to_lowercase().starts_with(&value.to_lowercase())
        }
    };
    match field {
        "name" => compare(&file.name),
        "mimeType" if operator == "contains" => file.mime.starts_with(value),
        "mimeType" => compare(&file.mime),
        "fullText" => {
            let text = format!("{} {}", file.name, file.text).to_lowercase();
            let exact = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            exact.map_or_else(
                || words(value).all(|word| text.contains(&word)),
                |phrase| text.contains(&phrase.to_lowercase()),
            )
        }
        "trashed" => (file.trashed == (value == "true")) == (operator == "="),
        "starred" | "sharedWithMe" => (value == "false") == (operator == "="),
        "parents" => file.parent == value,
        "owners" => file.owner.1 == value || value == "me",
        "modifiedTime" => ordered(file.modified, operator, value),
        "createdTime" => ordered(file.created, operator, value),
        _ => false,
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let text = text.to_lowercase();
    let parts: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    parts.into_iter()
}

fn ordered(own: i64, operator: &str, value: &str) -> bool {
    let Some(other) = parse(value) else { return false };
    match operator {
        "<" => own < other,
        "<=" => own <= other,
        ">" => own > other,
        ">=" => own >= other,
        "!=" => own != other,
        _ => own == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_answered() {
        let file =
            File { name: "Quote - O'Hara".into(), mime: "text/plain".into(), parent: "P".into(), ..File::default() };
        for (query, fits) in [
            ("name contains 'quo'", true),
            ("name contains 'uote'", false),
            (r"name = 'Quote - O\'Hara'", true),
            ("trashed = false and 'P' in parents", true),
            ("not trashed = false or mimeType = 'x'", false),
            ("(trashed = true or name contains 'hara') and mimeType contains 'text/'", true),
            ("modifiedTime > '1969-01-01T00:00:00Z'", true),
            ("fullText contains 'hara quote'", true),
            ("", true),
        ] {
            assert_eq!(Query::parse(query).unwrap().fits(&file), fits, "{query}");
        }
        for bad in
            ["name contains 'x", "name", "color = 'red'", "name contains 'x' name", "'P' of parents", "(name = 'x'"]
        {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
