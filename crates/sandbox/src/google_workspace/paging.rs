//! Page tokens: they live for some hours, belong to one question, and a page may be empty although more follow.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::reply::Refusal;
use crate::clock::{HOUR, Millis};

/// Google does not say how long; some hours.
const LIFE: Millis = 6 * HOUR;

/// Which rows a page has.
pub(super) struct Page {
    pub from: usize,
    pub to: usize,
    pub next: Option<String>,
}

/// The page of `total` rows at this token. The second page of every walk is empty.
pub(super) fn page(
    total: usize,
    size: usize,
    token: Option<&str>,
    question: &str,
    now: Millis,
) -> Result<Page, Refusal> {
    let invalid = || Refusal::parameter("pageToken", "Invalid Value");
    let (from, rested) = match token.filter(|token| !token.is_empty()) {
        None => (0, true),
        Some(token) => read(token, question, now).ok_or_else(invalid)?,
    };
    if from == size && !rested && from < total {
        return Ok(Page { from, to: from, next: Some(write(from, true, question, now)) });
    }
    let to = (from + size).min(total);
    let next = (to < total).then(|| write(to, false, question, now));
    Ok(Page { from: from.min(to), to, next })
}

fn write(at: usize, rested: bool, question: &str, now: Millis) -> String {
    URL_SAFE_NO_PAD.encode(format!("{at}|{rested}|{now}|{:x}", mixed(question)))
}

fn read(token: &str, question: &str, now: Millis) -> Option<(usize, bool)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split('|');
    let (at, rested): (usize, bool) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let issued: Millis = parts.next()?.parse().ok()?;
    let same = parts.next()? == format!("{:x}", mixed(question));
    (same && issued + LIFE > now).then_some((at, rested))
}

/// FNV-1a.
fn mixed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
