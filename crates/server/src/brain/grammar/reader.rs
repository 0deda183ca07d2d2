//! Goes through the words once: phrases become filters, names after "at", "from" and "tagged" are
//! taken as they stand, the rest is text.

use chrono::{DateTime, TimeDelta, Utc};

use super::periods::{Clock, Period};
use super::rules::{Filter, Verb, filter, is_people, join, phrase, word};
use super::tokens::Token;
use super::{Order, Question};

pub(super) struct Reader<'a> {
    words: &'a [Token],
    clock: Clock,
    question: Question,
    /// A verb that waits for its time.
    verb: Option<Verb>,
    /// Words that no rule took.
    left: Vec<&'a Token>,
    /// Words that ask for a list, so that no text at all means everybody.
    lists: bool,
}

/// The longest company, tag and industry, in words.
const NAME: usize = 6;

/// What stands before a company.
const AT: &[&str] = &[
    "at",
    "from",
    "@",
    "works at",
    "works for",
    "work at",
    "work for",
    "working at",
    "working for",
    "who works at",
    "who works for",
    "employed by",
    "employed at",
    "company",
    "company named",
    "company called",
    "company is",
    "whose company is",
    "company =",
    "at the company",
    "at company",
    "from the company",
    "from company",
    "in company",
    "at the",
    "from the",
];

impl<'a> Reader<'a> {
    pub fn new(words: &'a [Token], clock: Clock) -> Reader<'a> {
        Reader { words, clock, question: Question::default(), verb: None, left: Vec::new(), lists: false }
    }

    pub fn read(mut self) -> Question {
        let mut at = 0;
        while at < self.words.len() {
            at += self.step(at).max(1);
        }
        self.finish()
    }

    /// Takes what stands at this word and says how many words that were.
    fn step(&mut self, at: usize) -> usize {
        let rest = &self.words[at..];
        if self.verb == Some(Verb::Added)
            && let Some((period, used)) = self.clock.moment(rest)
        {
            self.period(period);
            return used;
        }
        if let Some(used) = phrase(rest, &["how many", "number of", "count", "total number of"]) {
            self.question.counts = true;
            return used;
        }
        if let Some((found, used)) = filter(rest, &self.clock) {
            self.apply(found);
            return used;
        }
        let named = self.tags(rest).or_else(|| self.company(rest)).or_else(|| self.industry(rest));
        if let Some(used) = named {
            return used;
        }
        self.lists |= !rest[0].quoted && is_people(&rest[0].plain);
        self.left.push(&rest[0]);
        1
    }

    fn apply(&mut self, found: Filter) {
        let now = self.clock.now;
        let question = &mut self.question;
        match found {
            Filter::Kind(kind) => question.kind = Some(kind),
            Filter::Fields { email, phone } => {
                question.has_email = email.or(question.has_email);
                question.has_phone = phone.or(question.has_phone);
            }
            Filter::Verb(verb) => self.wait(verb),
            Filter::Silent { days, importance } => {
                question.importance_min = importance.or(question.importance_min);
                question.not_contacted_since = Some(now - TimeDelta::days(days));
                question.order.get_or_insert(Order::Importance);
            }
            Filter::Recently(verb) => {
                let period = Period { from: Some(self.ago(7)), ..Period::default() };
                self.verb = Some(verb);
                self.period(period);
            }
            Filter::NeverContacted => question.never_contacted = true,
            Filter::Period(period) => self.period(period),
            Filter::Order(order, limit) => {
                question.order = Some(order);
                question.limit = limit.or(question.limit);
            }
            Filter::Limit(limit) => question.limit = Some(limit),
            Filter::Importance(least) => question.importance_min = Some(least),
            Filter::Industry(industry) => question.industry = Some(industry),
            Filter::Tag(tag) => question.tags.push(tag.into()),
        }
    }

    /// A new verb; one that still waits for its time gets the usual one.
    fn wait(&mut self, verb: Verb) {
        self.usual_time();
        self.verb = Some(verb);
    }

    /// The time of a verb that was said without one: 30 days.
    fn usual_time(&mut self) {
        match self.verb.take() {
            Some(Verb::NotContacted) => self.question.not_contacted_since = Some(self.ago(30)),
            Some(Verb::Active) => self.question.active_since = Some(self.ago(30)),
            Some(Verb::Inactive) => self.question.inactive_since = Some(self.ago(30)),
            Some(Verb::Added | Verb::Contacted) | None => {}
        }
    }

    /// Gives the time to the verb that waits; without one it is the time of adding.
    fn period(&mut self, period: Period) {
        let Period { from, until, .. } = period;
        let now = self.clock.now;
        let question = &mut self.question;
        match self.verb.take().unwrap_or(Verb::Added) {
            Verb::Added => {
                question.added_since = from;
                question.added_before = until.filter(|until| *until <= now);
            }
            Verb::Contacted if from.is_none() => question.not_contacted_since = until,
            Verb::Contacted => question.contacted_since = from,
            Verb::NotContacted => question.not_contacted_since = from.or(until),
            Verb::Active if from.is_none() => question.inactive_since = until,
            Verb::Active => question.active_since = from,
            Verb::Inactive => question.inactive_since = from.or(until),
        }
    }

    fn ago(&self, days: i64) -> DateTime<Utc> {
        self.clock.now - TimeDelta::days(days)
    }

    /// "tagged vip and wholesale", "with tag vip", "#vip".
    fn tags(&mut self, words: &[Token]) -> Option<usize> {
        if let Some(tag) = word(words, 0)?.strip_prefix('#').filter(|tag| !tag.is_empty()) {
            self.question.tags.push(tag.into());
            return Some(1);
        }
        const TAGGED: &[&str] = &[
            "tagged",
            "tagged as",
            "tagged with",
            "with tag",
            "with tags",
            "with the tag",
            "with the tags",
            "tag",
            "tags",
            "labeled",
            "labelled",
            "who are tagged",
            "has tag",
            "have tag",
        ];
        let start = phrase(words, TAGGED)?;
        let mut at = start;
        loop {
            let used = self.capture(words.get(at..)?, |word| matches!(word, "and" | "or" | "&"));
            if used == 0 {
                break;
            }
            self.question.tags.push(join(&words[at..at + used]));
            at += used;
            let joined = usize::from(matches!(word(words, at), Some("and" | "or" | "&")));
            let more = words[at - 1].ends || joined == 1;
            if !more || self.question.tags.len() > NAME || self.stops(words.get(at + joined..)?) {
                break;
            }
            at += joined;
        }
        (at > start).then_some(at)
    }

    /// "at acme supply", "from acme", "works for acme". What stood before it is the name.
    fn company(&mut self, words: &'a [Token]) -> Option<usize> {
        let start = match word(words, 0)?.strip_prefix('@') {
            Some(company) if !company.is_empty() => {
                self.name(words[0].text.trim_start_matches('@').into());
                return Some(1);
            }
            _ => phrase(words, AT)?,
        };
        let used = self.capture(words.get(start..)?, |_| false);
        let taken = trim(&words[start..start + used]);
        if taken.is_empty() {
            return None;
        }
        self.name(join(taken));
        Some(start + used)
    }

    /// A company was named; the words so far name the person.
    fn name(&mut self, company: String) {
        let before = std::mem::take(&mut self.left);
        let name = text(&before);
        if self.question.company.is_none() && !name.is_empty() {
            self.question.name = Some(name);
        }
        self.question.company = Some(company);
    }

    /// "industry cannabis".
    fn industry(&mut self, words: &[Token]) -> Option<usize> {
        let start = phrase(words, &["industry", "industry is", "sector"])?;
        let used = self.capture(words.get(start..)?, |_| false);
        let taken = trim(&words[start..start + used]);
        if taken.is_empty() {
            return None;
        }
        self.question.industry = Some(join(taken));
        Some(start + used)
    }

    /// How many words belong to a name that starts here.
    fn capture(&self, words: &[Token], separator: impl Fn(&str) -> bool) -> usize {
        let mut at = 0;
        while at < words.len().min(NAME) {
            let form =
                word(words, at).is_some_and(|word| matches!(word, "inc" | "llc" | "ltd" | "co" | "corp" | "gmbh"));
            let ends = at > 0 && (words[at].quoted || words[at - 1].quoted || (words[at - 1].ends && !form));
            let separated = word(words, at).is_some_and(&separator);
            if ends || separated || self.stops_name(words, at) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Whether the word there is no part of a name any more. The first word nearly always is.
    fn stops_name(&self, words: &[Token], at: usize) -> bool {
        let rest = &words[at..];
        if rest[0].key || word(rest, 0).is_some_and(is_link) {
            return true;
        }
        match filter(rest, &self.clock) {
            None => self.tagged_next(rest),
            Some((Filter::Fields { .. } | Filter::NeverContacted | Filter::Period(_) | Filter::Silent { .. }, _)) => {
                true
            }
            Some((Filter::Verb(Verb::NotContacted | Verb::Inactive), _)) => true,
            Some((_, used)) => at > 0 && self.stops(rest.get(used..).unwrap_or_default()),
        }
    }

    fn tagged_next(&self, words: &[Token]) -> bool {
        phrase(words, &["tagged", "with tag", "with tags", "with the tag"]).is_some()
    }

    /// Nothing more, or the next words are grammar again.
    fn stops(&self, words: &[Token]) -> bool {
        words.is_empty()
            || word(words, 0).is_some_and(is_link)
            || filter(words, &self.clock).is_some()
            || self.tagged_next(words)
    }

    fn finish(mut self) -> Question {
        self.usual_time();
        let found = text(&self.left);
        let raw = join(self.words);
        let understood = self.question != Question::default();
        self.question.text = match found.is_empty() {
            false => Some(found),
            true if understood || self.lists || raw.is_empty() => None,
            true => Some(raw),
        };
        self.question
    }
}

/// Words that lead from a name to the next phrase.
fn is_link(word: &str) -> bool {
    matches!(
        word,
        "who" | "that" | "which" | "whose" | "where" | "is" | "are" | "was" | "were" | "has" | "have" | "but"
    )
}

/// The words that name somebody, without those that only make the sentence.
fn text(left: &[&Token]) -> String {
    let kept: Vec<&str> = left
        .iter()
        .enumerate()
        .filter(|(_, token)| token.quoted || !is_noise(&token.plain))
        .map(|(at, token)| owner(token, left.get(at + 1)))
        .collect();
    kept.join(" ").trim_matches(['&', ' ']).into()
}

/// "Dana's phone number" asks for Dana.
fn owner<'a>(token: &'a Token, next: Option<&&Token>) -> &'a str {
    let owned = token.text.strip_suffix("'s").or_else(|| token.text.strip_suffix("’s"));
    match (owned, next.is_some_and(|next| is_noise(&next.plain))) {
        (Some(owned), true) => owned,
        _ => &token.text,
    }
}

/// A name without the joining words at its end.
fn trim(words: &[Token]) -> &[Token] {
    let joins =
        |word: &Token| !word.quoted && matches!(word.plain.as_str(), "and" | "or" | "&" | "with" | "in" | "the");
    let end = words.iter().rposition(|word| !joins(word)).map_or(0, |at| at + 1);
    &words[..end]
}

#[rustfmt::skip]
fn is_noise(word: &str) -> bool {
    is_people(word)
        || matches!(
            word,
            "a" | "an" | "the" | "any" | "my" | "me" | "our" | "us" | "i" | "ive" | "we" | "weve" | "you" | "your" | "their"
            | "his" | "her" | "to" | "of" | "for" | "in" | "on" | "at" | "by" | "with" | "from" | "about" | "as" | "and"
            | "or" | "but" | "also" | "only" | "just" | "please" | "is" | "are" | "was" | "were" | "be" | "been" | "do" | "does"
            | "did" | "has" | "have" | "had" | "can" | "could" | "should" | "would" | "want" | "need" | "needs" | "who"
            | "whos" | "whom" | "what" | "whats" | "which" | "where" | "when" | "that" | "those" | "these" | "this"
            | "how" | "many" | "much" | "there" | "them" | "they" | "it" | "show" | "list" | "find" | "get" | "give"
            | "search" | "look" | "lookup" | "up" | "see" | "tell" | "display" | "pull" | "fetch" | "know" | "count"
            | "number" | "email" | "phone" | "address" | "details" | "info" | "information" | "profile" | "someone"
            | "somebody" | "person" | "named" | "called" | "name" | "type" | "years" | "contacted" | "businesses"
            | "sort" | "sorted" | "first" | "last" | "whose" | "+" | "=" | ">" | "<"
        )
}
