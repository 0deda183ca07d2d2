//! The query language: `SELECT * FROM Entity WHERE p op v AND … ORDERBY p STARTPOSITION n MAXRESULTS n`.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::{
    books::{self, Books, Entity},
    dates,
    fault::Fault,
};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

pub(super) fn answer(books: &Books, statement: &str) -> Result<Value, Fault> {
    let query = Parser::new(statement)?.query()?;
    let mut rows: Vec<&Value> = books.rows(query.entity.name).filter(|row| query.takes(row)).collect();
    for (property, descending) in query.order.iter().rev() {
        let mut keyed: Vec<(Key, &Value)> =
            rows.into_iter().map(|row| (Key::of(&member(row, property)), row)).collect();
        keyed.sort_by(|(a, _), (b, _)| {
            let order = a.partial_cmp(b).unwrap_or(Ordering::Equal);
            if *descending { order.reverse() } else { order }
        });
        rows = keyed.into_iter().map(|(_, row)| row).collect();
    }
    if query.counts {
        return Ok(json!({"QueryResponse": {"totalCount": rows.len()}}));
    }
    let page: Vec<&Value> = rows.into_iter().skip(query.start - 1).take(query.most).collect();
    if page.is_empty() {
        return Ok(json!({"QueryResponse": {}}));
    }
    let mut response = Map::new();
    response.insert("startPosition".into(), json!(query.start));
    response.insert("maxResults".into(), json!(page.len()));
    response.insert(query.entity.name.into(), json!(page));
    Ok(json!({ "QueryResponse": response }))
}

struct Query {
    entity: &'static Entity,
    counts: bool,
    conditions: Vec<Condition>,
    order: Vec<(String, bool)>,
    start: usize,
    most: usize,
}

struct Condition {
    property: String,
    operator: String,
    values: Vec<String>,
}

impl Query {
    fn takes(&self, row: &Value) -> bool {
        let asks_for_inactive = self.conditions.iter().any(|condition| condition.property == "Active");
        let hidden = !self.entity.transaction && row["Active"] == false && !asks_for_inactive;
        !hidden && self.conditions.iter().all(|condition| condition.holds(row))
    }
}

impl Condition {
    fn holds(&self, row: &Value) -> bool {
        let stored = member(row, &self.property);
        let Some(first) = self.values.first() else { return false };
        let order = compare(&stored, &Value::String(first.clone()));
        match self.operator.as_str() {
            "=" => order == Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            ">" => order == Some(Ordering::Greater),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "in" => self.values.iter().any(|value| compare(&stored, &json!(value)) == Some(Ordering::Equal)),
            _ => stored.as_str().is_some_and(|text| like(&text.to_lowercase(), &first.to_lowercase())),
        }
    }
}

/// `MetaData.CreateTime`, the value of a reference, the address of an e-mail.
fn member(row: &Value, property: &str) -> Value {
    let value = property.split('.').fold(row, |value, name| &value[name]);
    for inner in ["value", "Address", "FreeFormNumber"] {
        if let Some(inner) = value.get(inner) {
            return inner.clone();
        }
    }
    value.clone()
}

/// What rows are put in order by.
#[derive(PartialEq, PartialOrd)]
enum Key {
    None,
    Number(f64),
    Moment(i64),
    Letters(String),
}

impl Key {
    fn of(value: &Value) -> Key {
        let text = match value {
            Value::Number(number) => return Key::Number(number.as_f64().unwrap_or_default()),
            Value::String(text) => text,
            Value::Bool(flag) => return Key::Letters(flag.to_string()),
            _ => return Key::None,
        };
        if let Ok(number) = text.parse() {
            return Key::Number(number);
        }
        let moment = dates::parse(text).filter(|_| text.contains('T'));
        moment.map_or_else(|| Key::Letters(text.to_lowercase()), Key::Moment)
    }
}

/// Numbers by size, moments by time, anything else by its letters.
fn compare(stored: &Value, given: &Value) -> Option<Ordering> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let (left, right) = (text(stored)?, text(given)?);
    if let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) {
        return left.partial_cmp(&right);
    }
    if left.contains('T')
        && let (Some(left), Some(right)) = (dates::parse(&left), dates::parse(&right))
    {
        return Some(left.cmp(&right));
    }
    Some(left.to_lowercase().cmp(&right.to_lowercase()))
}

/// `%` stands for any letters.
fn like(text: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('%') else { return text == pattern };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| like(&rest[at..], after))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn new(statement: &str) -> Result<Parser, Fault> {
        Ok(Parser { tokens: tokens(statement)?, at: 0 })
    }

    fn query(mut self) -> Result<Query, Fault> {
        self.keyword("select")?;
        let counts = self.selection()?;
        self.keyword("from")?;
        let name = self.word()?;
        let entity = books::entity(&name).ok_or_else(|| {
            Fault::query("4001", format!("QueryValidationError: invalid context declaration: {name}"))
        })?;
        let mut query =
            Query { entity, counts, conditions: Vec::new(), order: Vec::new(), start: 1, most: DEFAULT_PAGE };
        if self.accept("where") {
            query.conditions.push(self.condition(entity)?);
            while self.accept("and") {
                query.conditions.push(self.condition(entity)?);
            }
        }
        if self.accept("orderby") {
            self.order(&mut query)?;
        }
        if self.accept("startposition") {
            query.start = self.number()?.max(1);
        }
        if self.accept("maxresults") {
            query.most = self.number()?.min(LARGEST_PAGE);
        }
        if self.at < self.tokens.len() { Err(self.unexpected()) } else { Ok(query) }
    }

    /// `*` or `count(*)`; there are no projections.
    fn selection(&mut self) -> Result<bool, Fault> {
        let counts = self.accept("count");
        if counts {
            self.sign("(")?;
        }
        self.sign("*")?;
        if counts {
            self.sign(")")?;
        }
        Ok(counts)
    }

    fn condition(&mut self, entity: &Entity) -> Result<Condition, Fault> {
        let property = self.property(entity)?;
        let operator = match self.next() {
            Some(Token::Sign(sign)) if ["=", "<", ">", "<=", ">="].contains(&sign.as_str()) => sign,
            Some(Token::Word(word)) if ["in", "like"].contains(&word.to_lowercase().as_str()) => word.to_lowercase(),
            _ => return Err(self.unexpected()),
        };
        let values = if operator == "in" { self.values()? } else { vec![self.value()?] };
        Ok(Condition { property, operator, values })
    }

    fn property(&mut self, entity: &Entity) -> Result<String, Fault> {
        let property = self.word()?;
        let always = ["Id", "MetaData.CreateTime", "MetaData.LastUpdatedTime"].contains(&property.as_str());
        if always || entity.filters.is_empty() || entity.filters.contains(&property.as_str()) {
            return Ok(property);
        }
        let detail = format!("QueryValidationError: Property {property} not found for Entity {}", entity.name);
        Err(Fault::query("4001", detail))
    }

    fn order(&mut self, query: &mut Query) -> Result<(), Fault> {
        loop {
            let property = self.property(query.entity)?;
            let descending = self.accept("desc");
            if !descending {
                self.accept("asc");
            }
            query.order.push((property, descending));
            if self.tokens.get(self.at) != Some(&Token::Sign(",".into())) {
                return Ok(());
            }
            self.at += 1;
        }
    }

    fn values(&mut self) -> Result<Vec<String>, Fault> {
        self.sign("(")?;
        let mut values = vec![self.value()?];
        while self.tokens.get(self.at) == Some(&Token::Sign(",".into())) {
            self.at += 1;
            values.push(self.value()?);
        }
        self.sign(")")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<String, Fault> {
        match self.next() {
            Some(Token::Text(text) | Token::Word(text)) => Ok(text),
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self) -> Result<usize, Fault> {
        self.word()?.parse().map_err(|_| self.unexpected())
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(self.unexpected()),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Fault> {
        if self.accept(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> Result<(), Fault> {
        match self.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn unexpected(&self) -> Fault {
        let near = self.tokens.get(self.at.saturating_sub(1)).or(self.tokens.last());
        Fault::query("4000", format!("QueryParserError: Encountered {near:?} at position {}", self.at))
    }
}

fn tokens(statement: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut letters = statement.chars().peekable();
    while let Some(&letter) = letters.peek() {
        if letter.is_whitespace() || letter == ';' {
            letters.next();
        } else if letter == '\'' {
            letters.next();
            tokens.push(Token::Text(quoted(&mut letters)?));
        } else if "(),*=".contains(letter) {
            letters.next();
            tokens.push(Token::Sign(letter.to_string()));
        } else if "<>".contains(letter) {
            letters.next();
            let equal = letters.next_if_eq(&'=').is_some();
            tokens.push(Token::Sign(format!("{letter}{}", if equal { "=" } else { "" })));
        } else {
            let mut word = String::new();
            while let Some(letter) = letters.next_if(|l| l.is_alphanumeric() || "._-+:".contains(*l)) {
                word.push(letter);
            }
            if word.is_empty() {
                return Err(Fault::query("4000", format!("QueryParserError: Lexical error at \"{letter}\"")));
            }
            tokens.push(Token::Word(word));
        }
    }
    Ok(tokens)
}

/// The rest of a text in quotes; a backslash takes the next letter as it is.
fn quoted(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, Fault> {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => return Ok(text),
            '\\' => text.extend(letters.next()),
            other => text.push(other),
        }
    }
    Err(Fault::query("4000", "QueryParserError: a text in quotes does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_as_the_vendor_reads_them() {
        let query = |text: &str| Parser::new(text).and_then(Parser::query);
        let read = query(
            "select * from invoice where Balance > '0' AND CustomerRef IN ('1', '2') \
             ORDERBY TxnDate DESC STARTPOSITION 11 MAXRESULTS 5000",
        );
        let read = read.unwrap();
        assert_eq!((read.entity.name, read.start, read.most, read.conditions.len()), ("Invoice", 11, 1_000, 2));
        assert!(query("select count(*) from Customer where DisplayName LIKE '%O\\'Neil%'").unwrap().counts);
        for bad in [
            "",
            "select",
            "select Id from Invoice",
            "select * from Nothing",
            "select * from Invoice where a = 'b'",
            "select * from Invoice where Balance > '0' or Balance < '1'",
            "select * from Customer where DisplayName = 'x",
            "select * from Invoice ORDER BY TxnDate",
        ] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percent_stands_for_any_letters() {
        assert!(like("green leaf", "%leaf") && like("green leaf", "gre%") && !like("zoë", "%ö%"));
        assert!(like("abc", "%b%") && !like("abc", "b%") && like("abc", "abc"));
    }

    #[test]
    fn numbers_are_compared_by_size() {
        assert_eq!(compare(&json!(9), &json!("10")), Some(Ordering::Less));
        assert_eq!(compare(&json!("2026-11-21T04:00:00-08:00"), &json!("2026-11-21T12:00:00Z")), Some(Ordering::Equal));
        assert_eq!(compare(&json!(null), &json!("1")), None);
    }
}
