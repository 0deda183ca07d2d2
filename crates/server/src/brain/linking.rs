//! One customer across systems: which records of other systems are the same person or company, how sure that is, and
//! why.

/// The last ten digits of a phone number, which are the same however it is written; None where there are fewer than
/// seven.
pub fn digits(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= 7).then(|| digits[digits.len().saturating_sub(10)..].to_owned())
}
