//! How text is prepared for storing and for searching.

use std::borrow::Cow;

/// PostgreSQL cannot store U+0000, and a vendor's text may contain it; the replacement character stands in for it.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same for an optional column.
pub fn clean_option(text: Option<&str>) -> Option<String> {
    text.map(|text| clean(text).into_owned())
}

/// The nicknames that everyone gets: first name, company, "first name from company"; lower case, without repetition.
pub fn nicknames(first_name: Option<&str>, company: Option<&str>) -> Vec<String> {
    let tidy = |text: Option<&str>| text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
    let (first, company) = (tidy(first_name), tidy(company));
    let both = first.as_ref().zip(company.as_ref()).map(|(first, company)| format!("{first} from {company}"));
    merged([first, company, both].into_iter().flatten(), [])
}

/// One list without repetition, in order.
pub(crate) fn merged(first: impl IntoIterator<Item = String>, second: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in first.into_iter().chain(second) {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// Lower case without the accents of Latin letters and without apostrophes, so that "José O'Neil" is found by
/// "jose oneil".
pub(crate) fn folded(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).map(without_accent).filter(|letter| !is_silent(*letter)).collect()
}

/// Only the digits of a phone number.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Combining accents and apostrophes.
fn is_silent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\'' | '’' | '`')
}

fn without_accent(letter: char) -> char {
    match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}
