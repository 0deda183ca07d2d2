//! Which tools a rule is about.

/// A tool id in which `*` stands for any letters.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(pub String);

impl Pattern {
    pub fn matches(&self, tool: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|start| tool.strip_prefix(start)) else { return false };
        let Some(end) = self.0.contains('*').then(|| self.0.rsplit('*').next().unwrap_or_default()) else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty() || tool.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_ids() {
        let matches = |pattern: &str, tool: &str| Pattern(pattern.into()).matches(tool);
        assert!(matches("gohighlevel.send_sms", "gohighlevel.send_sms"));
        assert!(!matches("gohighlevel.send", "gohighlevel.send_sms"));
        assert!(matches("gohighlevel.send_*", "gohighlevel.send_sms"));
        assert!(matches("*.send_*", "gohighlevel.send_sms"));
        assert!(matches("*", "gohighlevel.send_sms"));
        assert!(!matches("*.read_*", "gohighlevel.send_sms"));
        assert!(matches("*_sms", "gohighlevel.send_sms"));
        assert!(!matches("*_sm", "gohighlevel.send_sms"));
    }
}
