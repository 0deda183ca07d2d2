//! A mail as text (RFC 5322), from what a model gives. Nothing that is given can become a header of its own.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sdk::{Error, Result};

/// A header of ours by which a mail is recognised after it was sent; Gmail may replace the message id.
pub const EFFECT: &str = "X-Effect-Id";

/// A mail to be written.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub subject: String,
    pub body: String,
    /// 32 hexadecimal digits of the intended effect.
    pub effect: String,
    /// `Message-ID` and `References` of the mail that this one answers.
    pub answers: Option<(String, String)>,
}

impl Mail {
    /// The mail's own id.
    pub fn message_id(&self) -> String {
        format!("<{}@effect.invalid>", self.effect)
    }

    /// The whole mail as Gmail takes it: base64url of the text.
    pub fn raw(&self) -> Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(self.text()?))
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        for (name, list) in [("To", &self.to), ("Cc", &self.cc), ("Bcc", &self.bcc)] {
            let field = name.to_lowercase();
            let list = list.iter().map(|address| mailbox(&field, address)).collect::<Result<Vec<_>>>()?;
            if !list.is_empty() {
                text.push_str(&format!("{name}: {}\r\n", list.join(",\r\n ")));
            }
        }
        text.push_str(&format!("Subject: {}\r\n", words("subject", &self.subject)?));
        text.push_str(&format!("Message-ID: {}\r\n{EFFECT}: {}\r\n", self.message_id(), self.effect));
        if let Some((id, references)) = &self.answers {
            let references = format!("{references} {id}");
            let references =
                references.split_whitespace().map(|id| one_line("reply_to", id)).collect::<Result<Vec<_>>>()?;
            text.push_str(&format!("In-Reply-To: {}\r\n", one_line("reply_to", id)?));
            text.push_str(&format!("References: {}\r\n", references.join("\r\n ")));
        }
        text.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
        text.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        text.push_str(&folded(&STANDARD.encode(self.body.replace("\r\n", "\n").replace('\n', "\r\n"))));
        Ok(text)
    }
}

/// `ada@example.com` of `Ada Byron <ada@example.com>`, lower case.
pub fn address(text: &str) -> String {
    let text = text.trim();
    let inner = text.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inner, _)| inner);
    inner.unwrap_or(text).trim().to_lowercase()
}

/// The addresses of a header: commas within quotes or angle brackets do not part them.
pub fn addresses(header: &str) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in header.chars() {
        if letter == ',' && !quoted {
            parts.push(String::new());
            continue;
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.iter().map(|part| address(part)).filter(|address| address.contains('@')).collect()
}

/// One address with or without a name, written so that it stays one.
fn mailbox(field: &str, text: &str) -> Result<String> {
    let text = one_line(field, text)?;
    let (name, bare) = match text.split_once('<') {
        Some((name, rest)) => (name.trim(), rest.strip_suffix('>').unwrap_or_default()),
        None => ("", text),
    };
    let valid =
        bare.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
    if !valid || !bare.is_ascii() || bare.contains(|c: char| c.is_whitespace() || "<>,;:\"()[]\\".contains(c)) {
        return Err(Error::invalid_input(format!("{field}: {text:?} is not an e-mail address")));
    }
    let name = name.trim_matches('"');
    if name.is_empty() {
        return Ok(bare.to_owned());
    }
    let name = if name.is_ascii() { format!("\"{}\"", name.replace(['\\', '"'], "")) } else { words(field, name)? };
    Ok(format!("{name} <{bare}>"))
}

/// Text of a header: plain, or encoded words (RFC 2047).
fn words(field: &str, text: &str) -> Result<String> {
    let text = one_line(field, text)?;
    if text.is_ascii() && text.len() <= 200 && !text.contains("=?") {
        return Ok(text.to_owned());
    }
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        // 39 bytes are a word of 64 letters, which fits behind `Subject: ` in a line of 76.
        match parts.last_mut() {
            Some(part) if part.len() + letter.len_utf8() <= 39 => part.push(letter),
            _ => parts.push(letter.to_string()),
        }
    }
    let word = |part: &String| format!("=?utf-8?B?{}?=", STANDARD.encode(part));
    Ok(parts.iter().map(word).collect::<Vec<_>>().join("\r\n "))
}

/// A line break would begin a header of its own.
fn one_line<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    let text = text.trim();
    if text.contains(char::is_control) {
        return Err(Error::invalid_input(format!("{field}: line breaks and control characters are not allowed here")));
    }
    Ok(text)
}

fn folded(base64: &str) -> String {
    let mut text = String::with_capacity(base64.len() + base64.len() / 38);
    let mut rest = base64;
    while rest.len() > 76 {
        let (line, after) = rest.split_at(76);
        text.push_str(line);
        text.push_str("\r\n");
        rest = after;
    }
    text.push_str(rest);
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str, subject: &str) -> Result<String> {
        Mail {
            to: vec![to.into()],
            subject: subject.into(),
            body: "Hi\nthere".into(),
            effect: "ab".into(),
            ..Mail::default()
        }
        .text()
    }

    #[test]
    fn nothing_becomes_a_header_of_its_own() {
        for (to, subject) in [
            ("a@example.com\r\nBcc: x@example.com", "Hi"),
            ("a@example.com", "Hi\r\nBcc: x@example.com"),
            ("a@example.com", "Hi\nBcc: x@example.com"),
            ("a@example.com, x@example.com", "Hi"),
            ("Ada <a@example.com>, <x@example.com>", "Hi"),
            ("nobody", "Hi"),
        ] {
            assert_eq!(mail(to, subject).unwrap_err().kind, sdk::Kind::InvalidInput, "{to:?} {subject:?}");
        }
    }

    #[test]
    fn a_mail_is_ascii_with_short_lines() {
        let text = mail("Zoë Müller <zoe@example.com>", &"Größe ".repeat(40)).unwrap();
        assert!(text.is_ascii());
        assert!(text.split("\r\n").all(|line| line.len() <= 76 && !line.contains('\n')), "{text}");
        assert!(
            text.starts_with("To: =?utf-8?B?Wm/DqyBNw7xsbGVy?= <zoe@example.com>\r\nSubject: =?utf-8?B?"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\nSGkNCnRoZXJl\r\n"), "{text}");
        assert!(
            mail("\"Byron, Ada\" <ada@example.com>", "Hi").unwrap().starts_with("To: \"Byron, Ada\" <ada@example.com>")
        );
    }

    #[test]
    fn addresses_of_a_header_are_told_apart() {
        let header = "\"Byron, Ada\" <Ada@example.com>, bob@example.com,, nobody";
        assert_eq!(addresses(header), ["ada@example.com", "bob@example.com"]);
    }
}
