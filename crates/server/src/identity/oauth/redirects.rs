//! Where a client may send a person back to (RFC 8252): https, a program on the person's own machine, or the private
//! scheme of an installed app.

use url::{Host, Url};

/// Schemes that a browser or system would carry out instead of handing them to an app that was installed for them.
const DANGEROUS: &[&str] = &[
    "javascript",
    "vbscript",
    "data",
    "file",
    "filesystem",
    "blob",
    "about",
    "view-source",
    "jar",
    "mhtml",
    "res",
    "ftp",
    "ws",
    "wss",
    "ldap",
    "smb",
    "ssh",
    "telnet",
    "mailto",
    "tel",
    "sms",
    "intent",
    "shell",
    "chrome",
    "edge",
];

/// Longer addresses are nobody's.
const LONGEST: usize = 2000;

/// Who is behind an address.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A site; its name is what can be trusted.
    Site(String),
    /// A program on the machine of the person: any program there can be it.
    Machine,
    /// An installed app; whichever claimed the scheme.
    App(String),
}

/// Reads a redirect address, or says why it is none that may be registered.
pub fn read(address: &str) -> Result<Target, String> {
    let refused = |why: &str| Err(format!("the redirect address {}", why));
    if address.len() > LONGEST {
        return refused("is too long");
    }
    let Ok(url) = Url::parse(address) else { return refused("is not an absolute address") };
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return refused("must have no fragment, user or password");
    }
    let scheme = url.scheme();
    match (scheme, url.host()) {
        ("http" | "https", Some(host)) if is_machine(&host) => Ok(Target::Machine),
        ("https", Some(host)) => Ok(Target::Site(host.to_string())),
        ("http", _) => refused("must be https, unless it is on the person's own machine"),
        ("https", None) => refused("has no host"),
        _ if DANGEROUS.contains(&scheme) || scheme.starts_with("ms-") || scheme.ends_with("-ms") => {
            refused("has a scheme that no app may claim")
        }
        _ => Ok(Target::App(scheme.to_owned())),
    }
}

/// The registered address that this one is: letter by letter, or, on the person's own machine, on whichever port the
/// program found free (RFC 8252 §7.3).
pub fn registered<'a>(known: &'a [String], asked: &str) -> Option<&'a String> {
    let exact = known.iter().find(|known| *known == asked);
    exact.or_else(|| known.iter().find(|known| differ_in_port_alone(known, asked)))
}

fn differ_in_port_alone(known: &str, asked: &str) -> bool {
    let without_port = |address: &str| {
        let mut url = Url::parse(address).ok().filter(|url| url.scheme() == "http")?;
        if !is_machine(&url.host()?) || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        url.set_port(None).ok()?;
        Some(url)
    };
    matches!((without_port(known), without_port(asked)), (Some(known), Some(asked)) if known == asked)
}

fn is_machine<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_register_passes_and_what_would_be_carried_out_does_not() {
        for (address, target) in [
            ("https://claude.ai/api/mcp/auth_callback", Target::Site("claude.ai".into())),
            ("http://localhost:33418/callback", Target::Machine),
            ("http://127.0.0.1/", Target::Machine),
            ("http://[::1]:7777/oauth/callback", Target::Machine),
            ("https://localhost/cb", Target::Machine),
            ("cursor://anysphere.cursor-mcp/oauth/callback", Target::App("cursor".into())),
            ("com.example.app:/cb", Target::App("com.example.app".into())),
        ] {
            assert_eq!(read(address), Ok(target), "{address}");
        }
        for address in [
            "javascript:alert(1)",
            "JavaScript://localhost/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ms-msdt:/x",
            "http://example.com/cb",
            "http://localhost.evil.example/cb",
            "https://user@example.com/cb",
            "https://example.com/cb#x",
            "/relative",
            "",
        ] {
            assert!(read(address).is_err(), "{address}");
        }
    }

    #[test]
    fn only_the_port_of_the_own_machine_may_differ() {
        let known = ["http://localhost/callback", "http://127.0.0.1:1/x", "https://a.example/cb"].map(String::from);
        for asked in ["http://localhost:5000/callback", "http://localhost/callback", "http://127.0.0.1:2/x"] {
            assert!(registered(&known, asked).is_some(), "{asked}");
        }
        for asked in [
            "http://localhost:5000/callback/../other",
            "http://localhost:5000/callback?x=1",
            "http://127.0.0.1:5000/callback",
            "http://evil@localhost:5000/callback",
            "https://localhost:5000/callback",
            "https://a.example:8443/cb",
            "https://a.example/cb/",
            "https://a.example.evil.example/cb",
        ] {
            assert!(registered(&known, asked).is_none(), "{asked}");
        }
    }
}
