//! Ordering candidates: how well each wanted word is met by a word of the contact.

use strsim::{jaro_winkler, osa_distance};

use super::find::{Candidate, Filter};
use crate::text::{digits, folded};

/// The words of a filter, each with the part of the contact that it is about.
pub(super) struct Wanted {
    words: Vec<(Part, String)>,
    phrase: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Anything,
    Name,
    Company,
}

/// Words that say how the others belong together, and nothing of a contact.
const FILLERS: [&str; 12] = ["from", "at", "of", "the", "in", "and", "for", "with", "a", "an", "named", "called"];

impl Wanted {
    pub(super) fn of(filter: &Filter) -> Self {
        let mut words = Vec::new();
        for (part, text) in
            [(Part::Anything, &filter.text), (Part::Name, &filter.name), (Part::Company, &filter.company)]
        {
            words.extend(text.iter().flat_map(|text| split(text)).map(|word| (part, word)));
        }
        if words.iter().any(|(_, word)| !FILLERS.contains(&word.as_str())) {
            words.retain(|(_, word)| !FILLERS.contains(&word.as_str()));
        }
        let phrase = words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" ");
        Self { words, phrase }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn words(&self) -> Vec<String> {
        self.words.iter().map(|(_, word)| word.clone()).collect()
    }

    /// From 0 to about 1: the mean over the words of the best likeness, and a little for the whole phrase.
    pub(super) fn score(&self, candidate: &Candidate) -> f64 {
        let name = folded(candidate.name.as_deref().unwrap_or_default());
        let company = folded(candidate.company.as_deref().unwrap_or_default());
        let total: f64 = self
            .words
            .iter()
            .map(|(part, word)| match part {
                Part::Name => best_of(word, &name).max(0.9 * best_of(word, &candidate.search_text)),
                Part::Company => best_of(word, &company).max(0.9 * best_of(word, &candidate.search_text)),
                Part::Anything => best_of(word, &name).max(0.98 * best_of(word, &candidate.search_text)),
            })
            .sum();
        let whole = jaro_winkler(&self.phrase, &name).max(jaro_winkler(&self.phrase, &company));
        0.95 * total / self.words.len() as f64 + 0.05 * whole
    }
}

/// Best first, at most `limit`, without those that are far worse than the best.
pub(super) fn order(mut found: Vec<(f64, Candidate)>, limit: usize) -> Vec<i64> {
    found.sort_by(|(a_score, a), (b_score, b)| {
        let by_candidate = || (b.importance, b.last_activity, b.id).cmp(&(a.importance, a.last_activity, a.id));
        b_score.total_cmp(a_score).then_with(by_candidate)
    });
    let worst = found.first().map_or(0.0, |(best, _)| (best - 0.2).max(0.55));
    found.into_iter().take_while(|(score, _)| *score >= worst).take(limit).map(|(_, candidate)| candidate.id).collect()
}

/// A phone number however it is written is one word of digits; a country code may be missing on either side.
fn split(text: &str) -> Vec<String> {
    let number = digits(text);
    if number.len() >= 7 && !text.contains(char::is_alphabetic) && !text.contains('@') {
        return vec![number[number.len().saturating_sub(10)..].to_owned()];
    }
    let text = folded(&crate::text::clean(text));
    let words = text.split(|letter: char| letter.is_whitespace() || ",;:\"()!?".contains(letter));
    words.filter(|word| !word.is_empty()).take(8).map(str::to_owned).collect()
}

fn best_of(word: &str, text: &str) -> f64 {
    text.split_whitespace().map(|other| likeness(word, other)).fold(0.0, f64::max)
}

fn likeness(word: &str, other: &str) -> f64 {
    if word == other {
        return 1.0;
    }
    let length = word.len() as f64 / other.len().max(1) as f64;
    if other.starts_with(word) {
        return 0.88 + 0.1 * length;
    }
    if word.len() >= 3 && other.contains(word) {
        return 0.8 + 0.1 * length;
    }
    // Cheaper than any distance, and true for most words of most candidates.
    let (letters, others) = (word.chars().count(), other.chars().count());
    if letters.abs_diff(others) > 1 + letters / 4 {
        return 0.0;
    }
    let alike = jaro_winkler(word, other);
    if alike < 0.7 {
        return 0.5 * alike;
    }
    // Jaro-Winkler alone is too fond of common beginnings, the edit distance alone of short words.
    let edits = osa_distance(word, other) as f64 / letters.max(others) as f64;
    0.5 * alike + 0.5 * (1.0 - edits)
}
