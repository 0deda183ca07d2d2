//! Words of a question: what was typed, and a plain form to compare with.

/// One word, or one quoted phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// As typed, without the punctuation around it.
    pub text: String,
    /// Lower case, without apostrophes, `e-mail` as `email`.
    pub plain: String,
    /// It stood in quotes, so it is data and never grammar.
    pub quoted: bool,
    /// A comma or the like follows, so a name ends here.
    pub ends: bool,
    /// It was followed by a colon, `tag:`.
    pub key: bool,
}

const LONGEST: usize = 500;

/// The words of the first 500 characters.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest: &str = head(text);
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        rest = &rest[start..];
        let (token, after) = quoted(rest).or_else(|| key(rest)).unwrap_or_else(|| word(rest));
        found.extend(token);
        rest = after;
    }
    found
}

fn head(text: &str) -> &str {
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

/// A phrase between double quotes, where the closing quote exists.
fn quoted(rest: &str) -> Option<(Option<Token>, &str)> {
    let open = rest.chars().next().filter(|c| matches!(c, '"' | '“' | '„'))?;
    let inner = &rest[open.len_utf8()..];
    let (end, close) = inner.char_indices().find(|(_, c)| matches!(c, '"' | '”' | '“'))?;
    let text = inner[..end].trim();
    let token = Token { text: text.into(), plain: text.to_lowercase(), quoted: true, ends: false, key: false };
    Some(((!text.is_empty()).then_some(token), &inner[end + close.len_utf8()..]))
}

/// `tag:` of `tag:vip`; an address with a scheme is left whole.
fn key(rest: &str) -> Option<(Option<Token>, &str)> {
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).filter(|end| *end > 0)?;
    let after = rest[end..].strip_prefix(':').filter(|after| !after.starts_with("//"))?;
    let text = &rest[..end];
    Some((Some(Token { text: text.into(), plain: plain(text), quoted: false, ends: false, key: true }), after))
}

fn word(rest: &str) -> (Option<Token>, &str) {
    let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    let (raw, after) = rest.split_at(end);
    let text = raw.trim_start_matches(|c: char| !opens(c)).trim_end_matches(|c: char| !closes(c));
    if text.is_empty() {
        return (None, after);
    }
    let ends = raw.ends_with([',', ';', ':', '?', '!']);
    let token = Token { text: text.into(), plain: plain(text), quoted: false, ends, key: false };
    (Some(token), after)
}

fn opens(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '#' | '+' | '&' | '>' | '<' | '=')
}

fn closes(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '+' | '&' | '>' | '<' | '=')
}

fn plain(text: &str) -> String {
    let lower: String = text.to_lowercase().chars().filter(|c| !matches!(c, '\'' | '’' | '`')).collect();
    match lower.as_str() {
        "e-mail" | "mail" => "email".into(),
        "e-mails" | "emails" => "email".into(),
        "e-mailed" => "emailed".into(),
        "follow-up" | "follow-ups" | "followups" => "followup".into(),
        "phones" | "telephone" | "mobile" => "phone".into(),
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.plain).collect()
    }

    #[test]
    fn punctuation_falls_away_and_meaning_stays() {
        assert_eq!(plain_words("Haven't e-mailed (Dana), ok?"), ["havent", "emailed", "dana", "ok"]);
        assert_eq!(plain_words("dana@acme.com +1 555 #vip A&B"), ["dana@acme.com", "+1", "555", "#vip", "a&b"]);
        assert_eq!(plain_words("tag:vip type: lead http://x.y"), ["tag", "vip", "type", "lead", "http://x.y"]);
        assert!(tokens(" … ?! ").is_empty());
    }

    #[test]
    fn quotes_make_one_word_and_an_open_quote_is_harmless() {
        let found = tokens("tagged \"hot lead\" now");
        assert_eq!((found[1].plain.as_str(), found[1].quoted), ("hot lead", true));
        assert_eq!(plain_words("\"open dana"), ["open", "dana"]);
        assert_eq!(plain_words("\"\" dana"), ["dana"]);
    }

    #[test]
    fn long_input_is_cut() {
        assert_eq!(tokens(&"a ".repeat(2_000)).len(), 250);
    }
}
