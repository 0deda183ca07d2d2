//! Gmail's search: `from:ada in:sent newer_than:7d -in:drafts "exact words"`.

use super::state::Mail;
use crate::clock::{DAY, Millis, SECOND, parse};

/// Whether a mail is found. What Gmail does not know is looked for as a word.
pub(super) fn fits(mail: &Mail, query: &str, now: Millis) -> bool {
    words(query).iter().all(|word| match word.strip_prefix('-') {
        Some(unwanted) => !one(mail, unwanted, now),
        None => one(mail, word, now),
    })
}

/// Parts that blanks separate, unless they stand within quotes.
fn words(query: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in query.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().map(|word| word.push(letter)).unwrap_or_default(),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

fn one(mail: &Mail, word: &str, now: Millis) -> bool {
    let (key, value) = word.split_once(':').unwrap_or(("", word));
    let within =
        |name: &str| mail.header(name).is_some_and(|header| header.to_lowercase().contains(&value.to_lowercase()));
    match key {
        "from" => within("From"),
        "to" => within("To") || within("Cc") || within("Bcc"),
        "cc" => within("Cc"),
        "subject" => within("Subject"),
        "rfc822msgid" => {
            mail.header("Message-ID").is_some_and(|id| id.trim_matches(['<', '>']) == value.trim_matches(['<', '>']))
        }
        "in" => match value {
            "anywhere" => true,
            "drafts" | "draft" => mail.has("DRAFT"),
            "chats" => false,
            label => mail.has(&label.to_uppercase()),
        },
        "is" => match value {
            "unread" => mail.has("UNREAD"),
            "read" => !mail.has("UNREAD"),
            label => mail.has(&label.to_uppercase()),
        },
        "has" => value != "attachment" || !mail.attachments.is_empty(),
        "after" => moment(value).is_some_and(|at| mail.at >= at),
        "before" => moment(value).is_some_and(|at| mail.at < at),
        "newer_than" => span(value).is_some_and(|span| mail.at > now - span),
        "older_than" => span(value).is_some_and(|span| mail.at <= now - span),
        _ => {
            within("Subject")
                || within("From")
                || within("To")
                || mail.text.to_lowercase().contains(&word.to_lowercase())
        }
    }
}

/// Seconds since 1970, or a day as `2026/11/21`.
fn moment(text: &str) -> Option<Millis> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds * SECOND);
    }
    parse(&text.replace('/', "-"))
}

fn span(text: &str) -> Option<Millis> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let days = match unit {
        "d" => 1,
        "m" => 30,
        "y" => 365,
        _ => return None,
    };
    Some(number.parse::<i64>().ok()? * days * DAY)
}
