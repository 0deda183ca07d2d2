//! Who may send mail in the domain's name, and where its mail goes.

use serde_json::json;

use super::super::record::Record;
use super::{Finding, Severity, View};

pub fn of(view: &View<'_>) -> Vec<Finding> {
    [spf(view), dmarc(view), exchangers(view)].into_iter().flatten().collect()
}

fn spf(view: &View<'_>) -> Vec<Finding> {
    let name = &view.zone.name;
    let found = view.texts_at(name, "v=spf1");
    let finding = |severity, check, reason: String, recommended| {
        vec![Finding { severity, check, name: name.clone(), reason, recommended }]
    };
    match found.as_slice() {
        [] => finding(
            if has_mail(view) { Severity::High } else { Severity::Medium },
            "spf_missing",
            "No SPF record: anybody can send mail in this domain's name. Check the senders before creating it.".into(),
            view.create("TXT", "@", &wanted_spf(view)),
        ),
        [only] => weak_spf(only).map_or_else(Vec::new, |(check, reason)| {
            let strict = format!("{} -all", only.content.trim_end_matches("+all").trim_end_matches("?all").trim());
            finding(Severity::High, check, reason, view.update(only, json!({"content": strict})))
        }),
        [first, rest @ ..] => {
            let others: Vec<&str> = rest.iter().map(|record| record.id.as_str()).collect();
            let reason = format!(
                "{} SPF records: receivers then accept none of them. Merge them into one, then delete {}.",
                found.len(),
                others.join(", ")
            );
            finding(Severity::High, "spf_duplicate", reason, view.update(first, json!({"content": merged(&found)})))
        }
    }
}

fn has_mail(view: &View<'_>) -> bool {
    view.of_kind("MX").any(|record| record.name == view.zone.name && record.content != ".")
}

/// What fits the mail servers that are named; without any, nobody sends.
fn wanted_spf(view: &View<'_>) -> String {
    let servers: Vec<&Record> = view.of_kind("MX").filter(|record| record.name == view.zone.name).collect();
    let by = |host: &str| servers.iter().any(|server| server.content.to_lowercase().contains(host));
    match servers.is_empty() {
        true => "v=spf1 -all".into(),
        false if by("google") => "v=spf1 include:_spf.google.com ~all".into(),
        false if by("outlook.com") => "v=spf1 include:spf.protection.outlook.com ~all".into(),
        false if by("secureserver.net") => "v=spf1 include:secureserver.net ~all".into(),
        false => "v=spf1 mx ~all".into(),
    }
}

fn weak_spf(record: &Record) -> Option<(&'static str, String)> {
    let words: Vec<String> = record.content.split_whitespace().map(str::to_lowercase).collect();
    let lookups = words.iter().filter(|word| asks(word)).count();
    if words.iter().any(|word| word == "+all" || word == "all" || word == "?all") {
        return Some(("spf_allows_all", "The SPF record allows every sender, so it protects from nothing.".into()));
    }
    (lookups > 10).then(|| {
        ("spf_too_long", format!("The SPF record makes {lookups} look-ups; receivers stop at 10 and then reject it."))
    })
}

/// Mechanisms for which a receiver asks the DNS (RFC 7208 §4.6.4).
fn asks(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-', '~', '?']);
    ["include:", "exists:", "redirect=", "a:", "mx:", "a/", "mx/", "ptr"].iter().any(|kind| word.starts_with(kind))
        || word == "a"
        || word == "mx"
}

/// One record with the mechanisms of all, and the mildest end of them, so that no mail is lost by merging.
fn merged(records: &[&Record]) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut end = "-all";
    for word in records.iter().flat_map(|record| record.content.split_whitespace()) {
        match word {
            "~all" => end = "~all",
            "-all" | "?all" | "+all" | "all" => {}
            word if word.eq_ignore_ascii_case("v=spf1") || words.contains(&word) => {}
            word => words.push(word),
        }
    }
    format!("v=spf1 {} {end}", words.join(" "))
}

fn dmarc(view: &View<'_>) -> Vec<Finding> {
    let name = format!("_dmarc.{}", view.zone.name);
    let found = view.texts_at(&name, "v=dmarc1");
    let finding = |severity, check, reason: &str, recommended| {
        vec![Finding { severity, check, name: name.clone(), reason: reason.into(), recommended }]
    };
    match found.as_slice() {
        [] => {
            let policy = if has_mail(view) { "none" } else { "reject" };
            let content = format!("v=DMARC1; p={policy}; rua=mailto:postmaster@{}", view.zone.name);
            let reason = "No DMARC record: receivers do not know what to do with forged mail, and nobody gets reports.";
            finding(Severity::Medium, "dmarc_missing", reason, view.create("TXT", "_dmarc", &content))
        }
        [only] if policy(&only.content) == Some("none") => {
            let stricter = only.content.replacen("p=none", "p=quarantine", 1);
            let reason =
                "DMARC only watches (p=none). When the reports show no strangers, let forged mail be quarantined.";
            finding(Severity::Low, "dmarc_none", reason, view.update(only, json!({"content": stricter})))
        }
        [_] => Vec::new(),
        [_, second, ..] => {
            let reason = "Several DMARC records: receivers then follow none of them.";
            finding(Severity::High, "dmarc_duplicate", reason, view.delete(second))
        }
    }
}

fn policy(content: &str) -> Option<&str> {
    content.split(';').find_map(|part| part.trim().strip_prefix("p=")).map(str::trim)
}

fn exchangers(view: &View<'_>) -> Vec<Finding> {
    view.of_kind("MX").filter_map(|record| exchanger(view, record)).collect()
}

fn exchanger(view: &View<'_>, record: &Record) -> Option<Finding> {
    let target = record.content.trim_end_matches('.').to_lowercase();
    if !view.is_inside(&target) {
        return None;
    }
    let finding = |check, reason, recommended| {
        Some(Finding { severity: Severity::High, check, name: record.name.clone(), reason, recommended })
    };
    let proxied = view.records.iter().find(|other| other.name == target && other.proxied == Some(true));
    if let Some(server) = proxied {
        let reason = format!("Mail goes to {target}, which is proxied; Cloudflare's proxy does not carry mail.");
        return finding("mx_proxied", reason, view.update(server, json!({"proxied": false})));
    }
    if view.answers(&target, &["A", "AAAA", "CNAME"]) {
        return None;
    }
    let reason = format!("Mail goes to {target}, which has no address in this zone.");
    finding("mx_dangling", reason, view.delete(record))
}
