//! Where names lead: nowhere, to strangers, or past the proxy.

use std::net::IpAddr;

use serde_json::json;

use super::super::record::Record;
use super::{Finding, Severity, View};

pub fn of(view: &View<'_>) -> Vec<Finding> {
    let aliases = view.of_kind("CNAME").filter_map(|record| alias(view, record));
    let addresses = view.records.iter().filter_map(|record| address(view, record));
    aliases.chain(addresses).collect()
}

/// Hosts where a name that nobody holds any more can be claimed by anybody.
const CLAIMABLE: &[&str] = &[
    "github.io",
    "herokuapp.com",
    "herokudns.com",
    "azurewebsites.net",
    "cloudapp.azure.com",
    "trafficmanager.net",
    "s3.amazonaws.com",
    "elasticbeanstalk.com",
    "netlify.app",
    "myshopify.com",
    "ghost.io",
    "readthedocs.io",
    "surge.sh",
];

fn alias(view: &View<'_>, record: &Record) -> Option<Finding> {
    let target = record.content.trim_end_matches('.').to_lowercase();
    let finding = |severity, check, reason, recommended| {
        Some(Finding { severity, check, name: record.name.clone(), reason, recommended })
    };
    if target == record.name {
        return finding(Severity::High, "cname_loop", "It is an alias of itself.".into(), view.delete(record));
    }
    if view.is_inside(&target) && !view.answers(&target, &["A", "AAAA", "CNAME"]) {
        let reason = format!("It is an alias of {target}, which does not exist in this zone.");
        return finding(Severity::High, "cname_dangling", reason, view.delete(record));
    }
    let service = CLAIMABLE.iter().find(|host| target.ends_with(&format!(".{host}")))?;
    let reason = format!(
        "It is an alias of {target}. If nobody holds that name at {service} any more, a stranger can claim it and speak \
         for this domain: check that it is still yours, and delete the record if not."
    );
    finding(Severity::Medium, "cname_takeover", reason, view.delete(record))
}

fn address(view: &View<'_>, record: &Record) -> Option<Finding> {
    if !matches!(record.kind.as_str(), "A" | "AAAA") {
        return None;
    }
    let finding = |severity, check, reason, recommended| {
        Some(Finding { severity, check, name: record.name.clone(), reason, recommended })
    };
    if record.content.parse::<IpAddr>().is_ok_and(is_private) {
        let reason = format!(
            "{} is an address inside a network; it tells strangers about it and works for nobody.",
            record.content
        );
        return finding(Severity::Medium, "private_address", reason, view.delete(record));
    }
    if record.proxied != Some(false) {
        return None;
    }
    let hidden = view.records.iter().find(|other| other.proxied == Some(true) && other.content == record.content);
    if let Some(hidden) = hidden {
        let reason = format!(
            "It shows the server's address {}, which {} hides behind the proxy: attackers can go around the proxy.",
            record.content, hidden.name
        );
        return finding(Severity::Medium, "origin_exposed", reason, view.update(record, json!({"proxied": true})));
    }
    let front = record.name == view.zone.name || record.name == format!("www.{}", view.zone.name);
    if !front {
        return None;
    }
    let reason = "The website's name is not proxied, so Cloudflare neither protects nor speeds it up.".to_owned();
    finding(Severity::Low, "not_proxied", reason, view.update(record, json!({"proxied": true})))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}
