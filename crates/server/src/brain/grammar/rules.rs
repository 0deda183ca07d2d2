//! The phrases that are grammar. Each rule looks at the words from one place on and says what they
//! mean and how many they are; none looks further than a few words.

use super::Order;
use super::periods::{Clock, Period};
use super::tokens::Token;

/// What a phrase means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Kind(&'static str),
    Fields {
        email: Option<bool>,
        phone: Option<bool>,
    },
    /// A time follows or went before.
    Verb(Verb),
    /// No contact for so long, said without a time ("needs follow-up", "urgent").
    Silent {
        days: i64,
        importance: Option<u8>,
    },
    Recently(Verb),
    NeverContacted,
    Period(Period),
    Order(Order, Option<u32>),
    Limit(u32),
    Importance(u8),
    Industry(String),
    Tag(&'static str),
}

/// What a time belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Added,
    Contacted,
    NotContacted,
    Active,
    Inactive,
}

/// The phrase at the first word and the number of its words.
pub(super) fn filter(words: &[Token], clock: &Clock) -> Option<(Filter, usize)> {
    fields(words)
        .or_else(|| negative(words))
        .or_else(|| follow_up(words))
        .or_else(|| industry(words, clock))
        .or_else(|| aged(words, clock))
        .or_else(|| clock.period(words).map(|(period, used)| (Filter::Period(period), used)))
        .or_else(|| verb(words, clock))
        .or_else(|| importance(words))
        .or_else(|| order(words, clock))
        .or_else(|| limit(words))
        .or_else(|| kind(words))
}

/// The longest of the phrases that stands at the first word.
pub(super) fn phrase(words: &[Token], phrases: &[&str]) -> Option<usize> {
    let stands = |phrase: &str| {
        let mut count = 0;
        let all = phrase.split(' ').all(|part| {
            count += 1;
            word(words, count - 1) == Some(part)
        });
        all.then_some(count)
    };
    phrases.iter().filter_map(|phrase| stands(phrase)).max()
}

/// The plain form of a word that is not in quotes.
pub(super) fn word(words: &[Token], at: usize) -> Option<&str> {
    words.get(at).filter(|word| !word.quoted).map(|word| word.plain.as_str())
}

/// `lead` or `customer`, words that mean them, and the one tag that is said like a kind.
pub(super) fn kind(words: &[Token]) -> Option<(Filter, usize)> {
    let kind = match word(words, 0)? {
        "lead" | "leads" | "prospect" | "prospects" => "lead",
        "customer" | "customers" | "client" | "clients" => "customer",
        "vip" | "vips" => return Some((Filter::Tag("vip"), 1)),
        _ => return None,
    };
    Some((Filter::Kind(kind), 1))
}

/// Words for the people that are searched.
pub(super) fn is_people(word: &str) -> bool {
    matches!(word, "contact" | "contacts" | "people" | "everyone" | "everybody" | "persons" | "all" | "anyone" | "ones")
}

/// "without email", "with a phone number", "who have no email or phone".
fn fields(words: &[Token]) -> Option<(Filter, usize)> {
    const WITHOUT: &[&str] = &[
        "without",
        "w/o",
        "missing",
        "lacking",
        "no",
        "with no",
        "have no",
        "has no",
        "having no",
        "dont have",
        "doesnt have",
        "do not have",
        "does not have",
        "not having",
        "havent",
        "hasnt",
        "who have no",
        "that have no",
        "that dont have",
        "who dont have",
        "but no",
        "but not",
    ];
    const WITH: &[&str] = &["with", "having", "have", "has", "who have", "that have", "who has", "that has"];
    let without = phrase(words, WITHOUT);
    let signed = without.map(|used| (false, used)).or_else(|| phrase(words, WITH).map(|used| (true, used)));
    let (has, mut at) = signed?;
    let (mut email, mut phone) = (None, None);
    while let Some((is_email, used)) = field(words.get(at..)?) {
        *(if is_email { &mut email } else { &mut phone }) = Some(has);
        at += used;
        let joined = matches!(word(words, at), Some("and" | "or" | "nor" | "&"));
        if !joined || field(words.get(at + 1..)?).is_none() {
            return Some((Filter::Fields { email, phone }, at));
        }
        at += 1;
    }
    None
}

/// Whether it is the e-mail (or the phone), and how many words.
fn field(words: &[Token]) -> Option<(bool, usize)> {
    let article = usize::from(matches!(word(words, 0), Some("a" | "an" | "any" | "the" | "valid" | "their")));
    let noun = word(words, article)?;
    let next = word(words, article + 1);
    match noun {
        "email" => Some((true, article + 1 + usize::from(matches!(next, Some("address" | "addresses"))))),
        "phone" => Some((false, article + 1 + usize::from(matches!(next, Some("number" | "numbers"))))),
        _ => None,
    }
}

/// "not contacted", "haven't talked to", "never been called", "no contact", "inactive".
fn negative(words: &[Token]) -> Option<(Filter, usize)> {
    if let Some(used) =
        phrase(words, &["inactive", "not active", "no activity", "not been active", "havent been active"])
    {
        return Some((Filter::Verb(Verb::Inactive), used));
    }
    if let Some(used) =
        phrase(words, &["no contact", "without contact", "out of touch", "lost touch with", "uncontacted"])
    {
        return Some((Filter::Verb(Verb::NotContacted), used + usize::from(word(words, used) == Some("with"))));
    }
    const NOT: &[&str] = &[
        "not",
        "havent",
        "hasnt",
        "didnt",
        "wasnt",
        "werent",
        "have not",
        "has not",
        "did not",
        "never",
        "have never",
        "has never",
        "who havent",
        "that havent",
    ];
    let mut at = phrase(words, NOT)?;
    let never = word(words, at - 1) == Some("never");
    at += usize::from(matches!(word(words, at), Some("i" | "we" | "you" | "anyone" | "anybody" | "yet")));
    at += usize::from(word(words, at) == Some("been"));
    at += contact_verb(words.get(at..)?)?;
    at += usize::from(matches!(word(words, at), Some("recently" | "lately" | "yet")));
    Some((if never { Filter::NeverContacted } else { Filter::Verb(Verb::NotContacted) }, at))
}

/// "contacted", "talked to", "reached out to".
fn contact_verb(words: &[Token]) -> Option<usize> {
    const VERBS: &[&str] = &[
        "contacted",
        "contact",
        "talked",
        "talk",
        "spoken",
        "speak",
        "spoke",
        "heard",
        "hear",
        "called",
        "emailed",
        "messaged",
        "texted",
        "reached",
        "met",
        "followed",
        "touched",
        "interacted",
    ];
    const AFTER: &[&str] = &["to", "with", "from", "out to", "out", "up with", "up", "in touch with", "base with"];
    let used = phrase(words, VERBS)?;
    Some(used + words.get(used..).and_then(|rest| phrase(rest, AFTER)).unwrap_or(0))
}

/// "needs follow-up", "who should I call today", "gone cold".
fn follow_up(words: &[Token]) -> Option<(Filter, usize)> {
    const FOLLOW: &[&str] = &[
        "need followup",
        "needs followup",
        "needing followup",
        "need a followup",
        "needs a followup",
        "need to follow up",
        "need follow up",
        "needs follow up",
        "needs attention",
        "need attention",
        "needs my attention",
        "need my attention",
        "should i call",
        "should i contact",
        "should we call",
        "should we contact",
        "to follow up with",
        "followup",
        "should i follow up with",
        "should we follow up with",
        "should follow up with",
        "follow up with",
        "follow up",
    ];
    if let Some(used) = phrase(words, FOLLOW) {
        let now = words.get(used..).and_then(|rest| phrase(rest, &["today", "now", "this week", "next"])).unwrap_or(0);
        return Some((silent(14), used + now));
    }
    if let Some(used) = phrase(words, &["urgent", "need urgent attention", "needs urgent attention"]) {
        return Some((Filter::Silent { days: 14, importance: Some(8) }, used));
    }
    if word(words, 0) == Some("untouched") {
        return Some((Filter::NeverContacted, 1));
    }
    if let Some(used) = phrase(
        words,
        &["gone quiet", "went quiet", "going quiet", "going cold", "getting cold", "cooling off", "cooling"],
    ) {
        return Some((silent(30), used));
    }
    if let Some(used) = phrase(words, &["gone cold", "went cold"]) {
        return Some((silent(60), used));
    }
    let days = match word(words, 0)? {
        "cold" => 60,
        "stale" | "quiet" => 30,
        _ => return None,
    };
    before_people(words, 1).then_some((silent(days), 1))
}

fn silent(days: i64) -> Filter {
    Filter::Silent { days, importance: None }
}

/// "older than a year", "30 days old": added before that.
fn aged(words: &[Token], clock: &Clock) -> Option<(Filter, usize)> {
    let lead = phrase(words, &["older than", "over", "more than"]).unwrap_or(0);
    let (period, used) = clock.period(words.get(lead..)?)?;
    let end = lead + used + usize::from(word(words, lead + used) == Some("old"));
    let said = word(words, 0) == Some("older") || end > lead + used;
    let until = period.elapsed.and(period.from);
    (said && until.is_some()).then_some((Filter::Period(Period { until, ..Period::default() }), end))
}

/// "in the cannabis industry", "cannabis industry".
fn industry(words: &[Token], clock: &Clock) -> Option<(Filter, usize)> {
    let mut at = phrase(words, &["in", "within", "from", "for"]).unwrap_or(0);
    let most = if at > 0 { 3 } else { 1 };
    at += usize::from(word(words, at) == Some("the"));
    let start = at;
    while at <= start + most {
        let noun = word(words, at);
        if at > start && matches!(noun, Some("industry" | "sector" | "vertical")) {
            return Some((Filter::Industry(join(&words[start..at])), at + 1));
        }
        if at > start && most > 1 && matches!(noun, Some("business" | "space" | "niche")) {
            return Some((Filter::Industry(join(&words[start..at])), at + 1));
        }
        words.get(at)?;
        if matches!(noun, Some("in" | "within" | "who" | "that" | "with" | "the")) || kind(&words[at..]).is_some() {
            return None;
        }
        if at == start && clock.period(&words[at..]).is_some() {
            return None;
        }
        at += 1;
    }
    None
}

/// "added", "contacted this week", "recently active".
fn verb(words: &[Token], clock: &Clock) -> Option<(Filter, usize)> {
    const ADDED: &[&str] =
        &["added", "created", "imported", "joined", "signed up", "registered", "came in", "newly added", "that joined"];
    if let Some(used) = phrase(words, &["recently added", "recently created", "last added", "added recently"]) {
        return Some((Filter::Order(Order::Latest, None), used));
    }
    if let Some(used) = phrase(words, &["recently active", "active recently", "recently updated"]) {
        return Some((Filter::Recently(Verb::Active), used));
    }
    if word(words, 0) == Some("recently") {
        return contact_verb(words.get(1..)?).map(|used| (Filter::Recently(Verb::Contacted), used + 1));
    }
    if let Some(used) = phrase(words, ADDED) {
        return Some((Filter::Verb(Verb::Added), used));
    }
    if let Some(used) = phrase(words, &["active", "been active", "updated"]).filter(|_| !is_proper(words)) {
        return Some((Filter::Verb(Verb::Active), used));
    }
    // "a lead called Dana" names somebody; only with a time is it a contact.
    let last = usize::from(word(words, 0) == Some("last"));
    let used = last + contact_verb(words.get(last..)?)?;
    clock.period(words.get(used..)?)?;
    Some((Filter::Verb(Verb::Contacted), used))
}

/// "importance at least 8", "priority > 7", "important", "hot leads".
fn importance(words: &[Token]) -> Option<(Filter, usize)> {
    if let Some(used) = phrase(words, &["high importance", "high priority", "high-priority", "very important"]) {
        return Some((Filter::Importance(8), used));
    }
    if word(words, 0) == Some("hot") && kind(words.get(1..)?).is_some() {
        return Some((Filter::Importance(8), 1));
    }
    if word(words, 0) == Some("important") {
        return Some((Filter::Importance(7), 1));
    }
    let mut at = phrase(words, &["importance", "importance score", "priority", "with importance"])?;
    let above = phrase(words.get(at..)?, &["above", "over", "more than", "greater than", ">"]);
    let least = phrase(words.get(at..)?, &["at least", "of at least", "from", "of", "is", "=", ">=", "min", "minimum"]);
    at += above.or(least).unwrap_or(0);
    let number = word(words, at)?;
    let strict = above.is_some() || (number.starts_with('>') && !number.starts_with(">="));
    let value: u8 = number.trim_start_matches(['>', '=']).trim_end_matches('+').parse().ok()?;
    let least = value.saturating_add(u8::from(strict)).clamp(1, 10);
    at += 1;
    at +=
        words.get(at..).and_then(|rest| phrase(rest, &["or more", "or higher", "or above", "and above"])).unwrap_or(0);
    Some((Filter::Importance(least), at))
}

/// "latest", "most important", "top 10", "new leads", "by importance".
fn order(words: &[Token], clock: &Clock) -> Option<(Filter, usize)> {
    if let Some(used) =
        phrase(words, &["most important", "sorted by importance", "sort by importance", "by importance"])
    {
        return Some(counted(words, Order::Importance, used));
    }
    if word(words, 0) == Some("top") && (number(words, 1).is_some() || before_people(words, 1)) {
        return Some(counted(words, Order::Importance, 1));
    }
    let used = phrase(words, &["latest", "newest", "most recent", "recent", "new", "last"])?;
    if word(words, 0) == Some("last") {
        let count = number(words, used).filter(|_| before_people(words, used + 1))?;
        return Some((Filter::Order(Order::Latest, Some(count)), used + 1));
    }
    if word(words, 0) == Some("new") && clock.period(words.get(used..)?).is_some() {
        return Some((Filter::Verb(Verb::Added), used));
    }
    let people = before_people(words, used) || number(words, used).is_some() || words.len() == used;
    people.then(|| counted(words, Order::Latest, used))
}

/// An order with the number that may follow it.
fn counted(words: &[Token], order: Order, used: usize) -> (Filter, usize) {
    let count = number(words, used);
    (Filter::Order(order, count), used + usize::from(count.is_some()))
}

/// "5 contacts", "limit 5", "first 10".
fn limit(words: &[Token]) -> Option<(Filter, usize)> {
    if let Some(used) = phrase(words, &["limit", "limit to", "first", "at most", "up to"]) {
        return number(words, used).map(|count| (Filter::Limit(count), used + 1));
    }
    let count = number(words, 0)?;
    let ordered =
        word(words, 1).is_some_and(|word| matches!(word, "latest" | "newest" | "most" | "recent" | "important"));
    (ordered || before_people(words, 1)).then_some((Filter::Limit(count), 1))
}

/// A number of contacts that can be asked for.
fn number(words: &[Token], at: usize) -> Option<u32> {
    word(words, at)?.parse().ok().filter(|count| (1..=1_000).contains(count))
}

/// Whether the searched people are named there: "contacts", "leads", "active contacts".
fn before_people(words: &[Token], at: usize) -> bool {
    let people =
        |at: usize| word(words, at).is_some_and(is_people) || words.get(at..).is_some_and(|w| kind(w).is_some());
    let adjective = matches!(word(words, at), Some("active" | "important" | "hot" | "cold" | "new"));
    people(at) || (adjective && people(at + 1))
}

/// Two words with capitals, "Active Health": a name, whatever the first means.
fn is_proper(words: &[Token]) -> bool {
    let capital = |word: &Token| word.text.chars().next().is_some_and(char::is_uppercase);
    words.len() > 1 && words[..2].iter().all(capital)
}

/// Words as typed.
pub(super) fn join(words: &[Token]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}
