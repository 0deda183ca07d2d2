//! Text that came from a vendor, made safe to hand to a model.

/// Removes control characters (line breaks and tabs stay) and the invisible characters in which
/// instructions can hide: zero-width, bidirectional and tag characters.
pub fn clean(text: &str) -> String {
    if !text.contains(is_hidden) {
        return text.trim().to_owned();
    }
    text.chars().filter(|c| !is_hidden(*c)).collect::<String>().trim().to_owned()
}

/// [`clean`], and at most `longest` characters; what is missing is said.
pub fn cut(text: &str, longest: usize) -> String {
    let text = clean(text);
    let length = text.chars().count();
    if length <= longest {
        return text;
    }
    let kept: String = text.chars().take(longest).collect();
    format!("{kept}… [cut: the text has {length} characters]")
}

/// The text with hidden characters shown by their numbers, `\u202e`, as JSON would have them: for who has to judge what is
/// really there.
pub fn revealed(text: &str) -> String {
    if !text.contains(is_hidden) {
        return text.to_owned();
    }
    let number = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    text.chars().map(|c| if is_hidden(c) { number(c) } else { String::from(c) }).collect()
}

fn is_hidden(c: char) -> bool {
    let control = c.is_control() && c != '\n' && c != '\t';
    let invisible = matches!(u32::from(c),
        0x00AD | 0x034F | 0x061C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F
        | 0xFEFF | 0xFFF9..=0xFFFB | 0xE0000..=0xE007F);
    control || invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_removed_and_line_breaks_stay() {
        assert_eq!(clean(" a\u{200b}b\u{0}c\nd\u{202e}\u{e0041} "), "abc\nd");
    }

    #[test]
    fn hidden_characters_are_shown_and_stay_json() {
        let text = "pay \u{202e}nov ecila\u{e0041}";
        assert_eq!(revealed(text), "pay \\u202enov ecila\\udb40\\udc41");
        let value = serde_json::json!({"memo": text});
        let read: serde_json::Value = serde_json::from_str(&revealed(&value.to_string())).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn a_cut_is_said() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 2), "äö… [cut: the text has 4 characters]");
    }
}
