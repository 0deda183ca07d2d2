//! Finding contacts by words with typos, the same on both back ends.
//!
//! The databases find candidates by pieces of the words (FTS5's and pg_trgm's indexes both answer "contains these three
//! or more letters"), the strictest demand first; then [`rank`] orders them in the same way for both. A word with one
//! typo keeps its beginning or its end, so one of two pieces is found; these are far rarer than single trigrams.

use std::collections::HashSet;

use sea_orm::{DbBackend, FromQueryResult};

use super::find::{Candidate, ESCAPE, Filter, conditions, like_escaped, needs_context};
use super::rank::{self, Wanted};
use crate::sql::Sql;
use crate::{Result, Tenant};

/// How many matches a query has at most.
pub const RANKED: usize = 50;

/// How many candidates one demand may bring.
const CANDIDATES: i64 = 500;

/// A best match above this is taken for what was meant, and looser demands are not asked.
const MEANT: f64 = 0.82;

/// All of these must hold; each holds if one of its pieces is contained.
type Demand = Vec<Vec<String>>;

/// The ids of the best matches, best first; at most one more than `enough`, and at most [`RANKED`].
pub(super) async fn best(tenant: &Tenant, filter: &Filter, wanted: &Wanted, enough: usize) -> Result<Vec<i64>> {
    let words = wanted.words();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (step, demand) in demands(&words).into_iter().enumerate() {
        // The first two demands are about what was typed, give or take a typo. The others are for when that fails.
        let best = found.iter().map(|(score, _)| *score).fold(0.0, f64::max);
        if found.len() > enough || (step >= 2 && best >= MEANT) {
            break;
        }
        for candidate in candidates(tenant, filter, &demand).await? {
            if seen.insert(candidate.id) {
                found.push((wanted.score(&candidate), candidate));
            }
        }
    }
    Ok(rank::order(found, RANKED.min(enough + 1)))
}

fn demands(words: &[String]) -> Vec<Demand> {
    let exact: Demand = words.iter().filter_map(|word| Some(vec![whole(word)?])).collect();
    if exact.is_empty() {
        // One-letter words only.
        return vec![words.iter().map(|word| vec![format!(" {word}")]).collect()];
    }
    let one_typo: Demand = words.iter().filter_map(|word| with_one_typo(word)).collect();
    let any_exact: Demand = vec![exact.iter().flatten().cloned().collect()];
    let more_typos: Demand = words.iter().map(|word| trigrams(word)).filter(|pieces| !pieces.is_empty()).collect();
    let any_typo: Demand = vec![one_typo.iter().flatten().cloned().collect()];
    let mut demands = vec![exact, one_typo, more_typos];
    if words.len() > 1 {
        demands.extend([any_exact, any_typo]);
    }
    demands.retain(|demand| !demand.is_empty());
    demands
}

/// The word as it was typed: anywhere if it has three letters, else at the beginning of a word.
fn whole(word: &str) -> Option<String> {
    match word.chars().count() {
        0 | 1 => None,
        2 => Some(format!(" {word}")),
        _ => Some(word.to_owned()),
    }
}

/// The word, its beginning, its end: whatever a single typo is, one of them is in the text. A swap of the two letters in
/// the middle hits neither, because these two belong to no piece.
fn with_one_typo(word: &str) -> Option<Vec<String>> {
    let whole = whole(word)?;
    let letters: Vec<char> = format!(" {word} ").chars().collect();
    let middle = letters.len() / 2;
    let head = (middle - 1).max(3).min(letters.len());
    let tail = (letters.len() - middle - 1).max(3).min(letters.len());
    let pieces = [&letters[..head], &letters[letters.len() - tail..]];
    let mut all = vec![whole];
    all.extend(pieces.into_iter().map(|piece| piece.iter().collect::<String>()));
    Some(all)
}

fn trigrams(word: &str) -> Vec<String> {
    let letters: Vec<char> = format!(" {word} ").chars().collect();
    letters.windows(3).map(|three| three.iter().collect()).collect()
}

async fn candidates(tenant: &Tenant, filter: &Filter, demand: &Demand) -> Result<Vec<Candidate>> {
    let mut sql = tenant.sql("SELECT c.id, c.name, c.company, c.search_text, c.importance, c.last_activity FROM ");
    matching(&mut sql, demand);
    conditions(sql.push(" AND "), tenant, filter);
    sql.push(" LIMIT ").bind(CANDIDATES);
    let sql = with_context(sql, filter);
    Ok(Candidate::find_by_statement(sql.statement()).all(tenant.read()).await?)
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
    let indexed = demand.iter().flatten().all(|piece| piece.chars().count() >= 3);
    if sql.backend() == DbBackend::Sqlite && indexed {
        let all: Vec<String> = demand.iter().map(|any| format!("({})", quoted(any).join(" OR "))).collect();
        sql.push("contacts_fts f CROSS JOIN contacts c ON c.id = f.rowid /*context*/ WHERE contacts_fts MATCH ");
        sql.bind(all.join(" AND "));
        return;
    }
    sql.push("contacts c /*context*/ WHERE TRUE");
    for any in demand {
        for (index, piece) in any.iter().enumerate() {
            sql.push(if index == 0 { " AND (" } else { " OR " }).push("c.search_text LIKE ");
            sql.bind(format!("%{}%", like_escaped(piece))).push(ESCAPE);
        }
        sql.push(")");
    }
}

fn quoted(pieces: &[String]) -> Vec<String> {
    pieces.iter().map(|piece| format!("\"{}\"", piece.replace('"', "\"\""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_one_typo_keeps_a_piece() {
        let typed = "fitzgerald";
        let pieces = with_one_typo(typed).unwrap();
        let letters: Vec<char> = typed.chars().collect();
        let mut meant: Vec<String> = Vec::new();
        for at in 0..letters.len() {
            let (mut left_out, mut changed, mut doubled, mut swapped) =
                (letters.clone(), letters.clone(), letters.clone(), letters.clone());
            left_out.remove(at);
            changed[at] = 'x';
            doubled.insert(at, 'x');
            swapped.swap(at, (at + 1).min(letters.len() - 1));
            meant.extend([left_out, changed, doubled, swapped].map(|letters| letters.into_iter().collect::<String>()));
        }
        for word in meant {
            let text = format!(" some {word} body ");
            assert!(pieces.iter().any(|piece| text.contains(piece.as_str())), "{word} has none of {pieces:?}");
        }
    }

    #[test]
    fn short_words_are_looked_up_at_the_beginning_of_words() {
        assert_eq!(demands(&["jo".into()])[0], vec![vec![" jo".to_owned()]]);
        assert_eq!(demands(&["j".into()]), vec![vec![vec![" j".to_owned()]]]);
        assert!(with_one_typo("abc").unwrap().iter().all(|piece| piece.chars().count() >= 3));
    }
}
