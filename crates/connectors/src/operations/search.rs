//! Finds operations by words as people and models write them: beginnings count, and letters may be wrong.

use super::table::{self, Operation};

/// The operations that fit best, and how many fit at all. Without words all fit.
pub fn search(text: &'static str, query: &str, limit: usize) -> (Vec<Operation>, usize) {
    let words = meant(query);
    let mut found: Vec<(usize, u32, Operation)> = table::all(text)
        .filter_map(|operation| {
            let scores: Vec<u32> =
                words.iter().map(|word| score(&operation, word)).filter(|score| *score > 0).collect();
            (scores.len() * 2 >= words.len()).then(|| (scores.len(), scores.iter().sum(), operation))
        })
        .collect();
    // Stable, so that what is equal stays in the order of the table.
    found.sort_by_key(|(words, score, operation)| (std::cmp::Reverse((*words, *score)), operation.name.len()));
    let total = found.len();
    (found.into_iter().take(limit).map(|(_, _, operation)| operation).collect(), total)
}

/// Words that say nothing about what is looked for.
const EMPTY: [&str; 18] = [
    "a", "an", "the", "of", "to", "for", "in", "on", "by", "with", "my", "our", "and", "or", "all", "from", "this",
    "is",
];

/// Other words for the verbs that names begin with.
const SAME: [(&str, &str); 14] = [
    ("remove", "delete"),
    ("show", "get"),
    ("read", "get"),
    ("fetch", "get"),
    ("add", "create"),
    ("new", "create"),
    ("make", "create"),
    ("insert", "create"),
    ("change", "update"),
    ("edit", "update"),
    ("modify", "update"),
    ("patch", "update"),
    ("find", "list"),
    ("query", "list"),
];

fn meant(query: &str) -> Vec<String> {
    words(query).into_iter().filter(|word| !EMPTY.contains(&word.as_str())).take(12).collect()
}

/// How well a word fits: the name counts most, then what is said about it, then the path.
fn score(operation: &Operation, word: &str) -> u32 {
    let best = |text: &str| words(text).iter().map(|token| likeness(token, word)).max().unwrap_or(0);
    let verb = SAME.iter().find(|(other, _)| *other == word).map(|(_, verb)| *verb);
    let same = verb.is_some_and(|verb| operation.name.starts_with(verb));
    let named = if same { 6 } else { best(operation.name) };
    (named * 4).max(best(operation.about) * 2).max(best(operation.path))
}

/// 10 for the same word, 6 for a beginning, 3 for a slip of the pen.
fn likeness(token: &str, word: &str) -> u32 {
    let shorter = token.len().min(word.len());
    if token == word {
        10
    } else if shorter >= 3 && (token.starts_with(word) || word.starts_with(token)) {
        6
    } else if shorter >= 4 && strsim::damerau_levenshtein(token, word) <= 1 + shorter / 8 {
        3
    } else {
        0
    }
}

/// The words of a text in small letters; `pageToken` is two.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small_before = false;
    for letter in text.chars() {
        let apart = !letter.is_alphanumeric() || (letter.is_uppercase() && small_before);
        if apart && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        small_before = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
        list_calendar_groups | read | GET /calendars/groups | | | calendars | Groups of calendars.
        create_calendar_group | write | POST /calendars/groups | | name* | calendars | Makes a group of calendars.
        delete_contact | destructive | DELETE /contacts/{contactId} | | | contacts | Deletes a contact for good.
        list_users | read | GET /users/ | | | users | People who work in the location.
    ";

    fn found(query: &str) -> Vec<&'static str> {
        search(TABLE, query, 10).0.into_iter().map(|operation| operation.name).collect()
    }

    #[test]
    fn words_beginnings_slips_and_other_verbs_find() {
        assert_eq!(found("calendar groups")[0], "list_calendar_groups");
        assert_eq!(found("add a calendar group")[0], "create_calendar_group");
        assert_eq!(found("remove contact"), ["delete_contact"]);
        assert_eq!(found("calender grup")[..2].len(), 2);
        assert_eq!(found("people who work"), ["list_users"]);
        assert_eq!(found("contactId"), ["delete_contact"]);
        assert!(found("warehouse").is_empty());
    }

    #[test]
    fn without_words_everything_is_listed_and_counted() {
        let (some, total) = search(TABLE, "", 2);
        assert_eq!((some.len(), total), (2, 4));
        assert_eq!(search(TABLE, "the of", 9).1, 4);
    }
}
