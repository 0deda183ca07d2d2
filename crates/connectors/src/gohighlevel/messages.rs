//! Messages as the vendor writes them: what they are, and which of them are real.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::json;

/// `sms`, `email`, `call` or `message`; `None` for activity and system entries, which nobody said
/// to anybody.
pub fn kind(message: &Value) -> Option<&'static str> {
    let name = json::first_text(message, &["messageType", "type"])?.to_uppercase();
    let name = name.trim_start_matches("TYPE_");
    let not_said = ["ACTIVITY", "INTERNAL_COMMENT", "INFO_MESSAGE", "FORM_SUBMISSION", "REACTION"];
    if not_said.iter().any(|part| name.contains(part)) {
        return None;
    }
    // VOICEMAIL stands before EMAIL, which it ends with.
    let kinds = [("VOICEMAIL", "call"), ("CALL", "call"), ("SMS", "sms"), ("EMAIL", "email")];
    if let Some((_, kind)) = kinds.iter().find(|(part, _)| name.contains(part)) {
        return Some(kind);
    }
    let chats = ["WHATSAPP", "FACEBOOK", "INSTAGRAM", "LIVE_CHAT", "WEBCHAT", "GMB", "RCS", "TIKTOK", "REVIEW"];
    chats.iter().any(|part| name.contains(part)).then_some("message")
}

/// Whether the message has reached, or was meant to have reached, the other side by now.
pub fn was_sent(message: &Value) -> bool {
    let status = json::text(message, "status").unwrap_or_default();
    !matches!(status.as_str(), "scheduled" | "failed" | "undelivered")
}

pub fn direction(message: &Value) -> Option<String> {
    json::text(message, "direction").filter(|direction| direction == "inbound" || direction == "outbound")
}

pub fn at(message: &Value) -> Option<DateTime<Utc>> {
    json::time(message, "dateAdded").or_else(|| json::time(message, "createdAt"))
}

/// The words of a message, at most `longest` characters; a call has its length instead.
pub fn body(message: &Value, longest: usize) -> String {
    let said = json::first_text(message, &["body", "message", "subject"]);
    said.map_or_else(|| call(message), |said| sdk::text::cut(&said, longest))
}

fn call(message: &Value) -> String {
    let meta = message.get("meta").unwrap_or(&Value::Null);
    let call = meta.get("call").unwrap_or(meta);
    let seconds = json::first_text(call, &["callDuration", "duration"]).map(|seconds| format!("{seconds} s"));
    let status = json::first_text(call, &["callStatus", "status"]);
    [status, seconds].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_somebody_said_is_a_message() {
        let kind = |name: &str| kind(&json!({ "messageType": name }));
        assert_eq!(kind("TYPE_SMS"), Some("sms"));
        assert_eq!(kind("SMS"), Some("sms"));
        assert_eq!(kind("TYPE_CUSTOM_PROVIDER_EMAIL"), Some("email"));
        assert_eq!(kind("TYPE_IVR_CALL"), Some("call"));
        assert_eq!(kind("TYPE_CAMPAIGN_VOICEMAIL"), Some("call"));
        assert_eq!(kind("TYPE_WHATSAPP"), Some("message"));
        for no_message in [
            "TYPE_ACTIVITY_OPPORTUNITY",
            "TYPE_ACTIVITY_WHATSAPP",
            "TYPE_INTERNAL_COMMENT",
            "TYPE_INTERNAL_COMMENTS",
            "TYPE_LIVE_CHAT_INFO_MESSAGE",
            "TYPE_FORM_SUBMISSION",
            "TYPE_SMS_REACTION",
            "TYPE_OF_TOMORROW",
        ] {
            assert_eq!(kind(no_message), None, "{no_message}");
        }
    }

    #[test]
    fn a_call_without_words_tells_its_length() {
        let call = json!({"messageType": "TYPE_CALL", "meta": {"callDuration": "120", "callStatus": "completed"}});
        assert_eq!(body(&call, 100), "completed, 120 s");
    }
}
