//! Finding contacts by words with typos, the same on both back ends.
//!
//! The databases find candidates by pieces of the words (FTS5's and pg_trgm's indexes both answer "contains these three
//! or more letters"), the strictest demand first; then [`rank`] orders them in the same way for both. A word with one
//! typo keeps two of its three thirds, one with two typos keeps one; such pieces are far rarer than single trigrams, so
//! that few candidates have to be read.

use std::collections::HashSet;

use sea_orm::{DbBackend, FromQueryResult};

use super::find::{Candidate, ESCAPE, Filter, conditions, like_escaped, needs_context};
use super::rank::{self, Wanted};
use crate::sql::Sql;
use crate::{Result, Tenant};

/// How many matches a query has at most.
pub const RANKED: usize = 50;

/// What must be contained for a word: all pieces of one of these sets.
type Word = Vec<Vec<String>>;

/// Contacts that contain all words in one of several ways.
struct Demand {
    /// One of these ways is enough; each wants all its words.
    ways: Vec<Vec<Word>>,
    /// Candidates at most. Demands that are less strict bring more, and the right one may be among the last.
    most: i64,
    /// A best match above this is taken for what was meant, and looser demands are not asked.
    meant: f64,
}

/// The ids of the best matches, best first; at most one more than `enough`, and at most [`RANKED`].
pub(super) async fn best(tenant: &Tenant, filter: &Filter, wanted: &Wanted, enough: usize) -> Result<Vec<i64>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for demand in demands(&wanted.words()) {
        for candidate in candidates(tenant, filter, &demand).await? {
            if seen.insert(candidate.id) {
                found.push((wanted.score(&candidate), candidate));
            }
        }
        if found.iter().any(|(score, _)| *score >= demand.meant) {
            break;
        }
    }
    Ok(rank::order(found, RANKED.min(enough + 1)))
}

fn demands(words: &[String]) -> Vec<Demand> {
    let exact: Vec<Word> = words.iter().filter_map(|word| Some(vec![vec![whole(word)?]])).collect();
    if exact.is_empty() {
        // One-letter words only.
        let begins = words.iter().map(|word| vec![vec![format!(" {word}")]]).collect();
        return vec![Demand { ways: vec![begins], most: 500, meant: 0.0 }];
    }
    let one_typo: Vec<Word> = words.iter().filter_map(|word| with_one_typo(word)).collect();
    let two_typos: Vec<Word> = words.iter().filter_map(|word| with_two_typos(word)).collect();
    let any = |words: &[Word]| vec![vec![words.concat()]];
    let mut demands = vec![
        Demand { ways: vec![exact.clone()], most: 500, meant: 0.9 },
        Demand { ways: one_changed(&exact, &one_typo), most: 500, meant: 0.925 },
        Demand { ways: one_changed(&exact, &two_typos), most: 1_000, meant: 0.88 },
    ];
    if words.len() > 1 {
        demands.extend([
            Demand { ways: vec![one_typo.clone()], most: 2_000, meant: 0.85 },
            Demand { ways: vec![two_typos], most: 2_000, meant: 0.8 },
            Demand { ways: any(&exact), most: 1_000, meant: 0.7 },
            Demand { ways: any(&one_typo), most: 2_000, meant: 0.0 },
        ]);
    }
    demands
}

/// All words as they were typed but one, each in its turn.
fn one_changed(exact: &[Word], changed: &[Word]) -> Vec<Vec<Word>> {
    let way = |at: usize| {
        let words = exact.iter().enumerate();
        words.map(|(index, word)| if index == at { changed[at].clone() } else { word.clone() }).collect()
    };
    (0..exact.len()).map(way).collect()
}

/// The word as it was typed: anywhere if it has three letters, else at the beginning of a word.
fn whole(word: &str) -> Option<String> {
    match word.chars().count() {
        0 | 1 => None,
        2 => Some(format!(" {word}")),
        _ => Some(word.to_owned()),
    }
}

/// The word, or what is left of it whatever a single typo is: two of three thirds, or the beginning or the end of a short
/// word. (Two letters swapped where two thirds meet leave one third only; that is left to [`with_two_typos`].)
fn with_one_typo(word: &str) -> Option<Word> {
    let mut sets = vec![vec![whole(word)?]];
    match thirds(word) {
        Some([a, b, c]) => {
            sets.extend([vec![a.clone(), b.clone()], vec![b, c.clone()], vec![a, c]]);
        }
        None => {
            let letters: Vec<char> = format!(" {word} ").chars().collect();
            let length = (letters.len() / 2).saturating_sub(1).max(3).min(letters.len());
            let (head, tail) = (&letters[..length], &letters[letters.len() - length..]);
            sets.extend([head, tail].map(|piece| vec![piece.iter().collect()]));
        }
    }
    Some(sets)
}

/// Two typos leave one third as it was. Short words have too little to spare.
fn with_two_typos(word: &str) -> Option<Word> {
    match thirds(word) {
        Some(thirds) => Some(thirds.map(|third| vec![third]).into()),
        None => with_one_typo(word),
    }
}

/// The word with the spaces around it in three pieces, if each has the three letters that an index needs.
fn thirds(word: &str) -> Option<[String; 3]> {
    let letters: Vec<char> = format!(" {word} ").chars().collect();
    let third = letters.len() / 3;
    let pieces = [&letters[..third], &letters[third..2 * third], &letters[2 * third..]];
    (third >= 3).then(|| pieces.map(|piece| piece.iter().collect()))
}

async fn candidates(tenant: &Tenant, filter: &Filter, demand: &Demand) -> Result<Vec<Candidate>> {
    let mut sql = tenant.sql("SELECT c.id, c.name, c.company, c.search_text, c.importance, c.last_activity FROM ");
    matching(&mut sql, demand);
    conditions(sql.push(" AND "), tenant, filter);
    sql.limit(demand.most);
    let sql = with_context(sql, filter);
    Ok(Candidate::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

fn with_context(sql: Sql, filter: &Filter) -> Sql {
    if needs_context(filter) {
        sql.replace("/*context*/", "JOIN contact_context x ON x.contact_id = c.id")
    } else {
        sql
    }
}

/// The contacts `c` whose text meets the demand: the one place where the two full-text indexes differ.
fn matching(sql: &mut Sql, demand: &Demand) {
    let indexed = demand.ways.iter().flatten().flatten().flatten().all(|piece| piece.chars().count() >= 3);
    if sql.backend() == DbBackend::Sqlite && indexed {
        sql.push("contacts_fts f CROSS JOIN contacts c ON c.id = f.rowid /*context*/ WHERE contacts_fts MATCH ");
        let mut query = String::new();
        nested(demand, &mut |part| match part {
            Part::Text(text) => query.push_str(text),
            Part::Piece(piece) => query.push_str(&threes(piece)),
        });
        sql.bind(query);
        return;
    }
    sql.push("contacts c /*context*/ WHERE ");
    nested(demand, &mut |part| {
        match part {
            Part::Text(text) => sql.push(text),
            Part::Piece(piece) => {
                sql.push("c.search_text LIKE ").bind(format!("%{}%", like_escaped(piece))).push(ESCAPE)
            }
        };
    });
}

/// Every three letters of a piece, as the full-text index of SQLite has them.
fn threes(piece: &str) -> String {
    let letters: Vec<char> = piece.chars().collect();
    let quoted = |three: &[char]| format!("\"{}\"", three.iter().collect::<String>().replace('"', "\"\""));
    format!("({})", letters.windows(3).map(quoted).collect::<Vec<_>>().join(" AND "))
}

/// A part of a condition that both languages write alike.
enum Part<'a> {
    Text(&'static str),
    Piece(&'a str),
}

fn nested<'a>(demand: &'a Demand, write: &mut impl FnMut(Part<'a>)) {
    joined(&demand.ways, " OR ", write, &|way, write| {
        joined(way, " AND ", write, &|word: &'a Word, write| {
            joined(word, " OR ", write, &|set, write| {
                joined(set, " AND ", write, &|piece, write| write(Part::Piece(piece)));
            });
        });
    });
}

fn joined<'a, T, Write: FnMut(Part<'a>)>(
    items: &'a [T],
    between: &'static str,
    write: &mut Write,
    each: &impl Fn(&'a T, &mut Write),
) {
    write(Part::Text("("));
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            write(Part::Text(between));
        }
        each(item, write);
    }
    write(Part::Text(")"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to leave out, exchange, double or swap a letter.
    fn typos(typed: &str) -> Vec<String> {
        let letters: Vec<char> = typed.chars().collect();
        let mut all = Vec::new();
        for at in 0..letters.len() {
            let [mut left_out, mut changed, mut doubled, mut swapped] = [(); 4].map(|()| letters.clone());
            left_out.remove(at);
            changed[at] = 'x';
            doubled.insert(at, 'x');
            swapped.swap(at, (at + 1).min(letters.len() - 1));
            all.extend([left_out, changed, doubled, swapped].map(|letters| letters.into_iter().collect::<String>()));
        }
        all
    }

    fn meets(word: &Word, text: &str) -> bool {
        word.iter().any(|set| set.iter().all(|piece| text.contains(piece.as_str())))
    }

    #[test]
    fn whatever_the_typo_is_some_pieces_are_left() {
        for typed in ["smiths", "johnson", "catherine", "fitzgerald", "christopherson"] {
            let (one, two) = (with_one_typo(typed).unwrap(), with_two_typos(typed).unwrap());
            let missed = typos(typed).iter().filter(|meant| !meets(&one, &format!(" some {meant} body "))).count();
            assert!(missed <= 2, "{typed}: {missed} typos are not met by {one:?}");
            for meant in typos(typed) {
                assert!(meets(&two, &format!(" some {meant} body ")), "{meant} has none of {two:?}");
            }
        }
    }

    #[test]
    fn short_words_are_looked_up_at_the_beginning_of_words() {
        assert_eq!(demands(&["jo".into()])[0].ways, [[[[" jo"]]]]);
        assert_eq!(demands(&["j".into()])[0].ways, [[[[" j"]]]]);
        assert!(with_one_typo("abc").unwrap().iter().flatten().all(|piece| piece.chars().count() >= 3));
    }
}
