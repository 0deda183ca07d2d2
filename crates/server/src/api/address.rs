//! Where a request comes from, for limits by address.
//!
//! Behind a tunnel or a proxy everybody has its address. What that says of the client is believed if it is one of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::rejection::ExtensionRejection;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::Problem;
use crate::app::{App, Limiter};
use crate::config::{Network, Server};

/// Who passes requests on to us, and is believed from whom they come.
#[derive(Clone, Debug)]
pub struct Proxies(Vec<Network>);

/// The address of who asks; of IPv6 the network that one customer of a provider has.
pub struct Client(pub IpAddr);

impl Proxies {
    /// Those that are configured. Where nothing is said and there is a public address, this machine: tunnels end here.
    pub fn new(server: &Server) -> Proxies {
        let this_machine = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(Network::from);
        Proxies(match (&server.trusted_proxies, &server.public_url) {
            (Some(named), _) => named.clone(),
            (None, Some(_)) => this_machine.into(),
            (None, None) => Vec::new(),
        })
    }

    /// Each proxy adds at the end who asked it, and whoever asks may begin the list with anything. So it is read from its
    /// end, as far as those who wrote it are ours.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or_default());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            if !self.0.iter().any(|ours| ours.contains(client)) {
                break;
            }
            let Some(before) = read(hop) else { return peer };
            client = before;
        }
        client
    }
}

/// Some proxies add a port.
fn read(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Client, ExtensionRejection> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app).await?;
        Ok(Client(customer(app.proxies.client(peer.ip(), &parts.headers))))
    }
}

fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// One more from this address.
pub(super) fn limit(limiter: &Limiter, from: IpAddr) -> Result<(), Problem> {
    take(limiter, &from.to_string())
}

/// One more guess from this address at the password of this one person: who guesses does not keep others at the same
/// address from signing in.
pub(super) fn limit_guesses(app: &App, from: IpAddr, email: &str) -> Result<(), Problem> {
    let email: String = email.trim().to_lowercase().chars().take(LONGEST_EMAIL).collect();
    take(&app.guesses, &format!("{from} {email}"))
}

const LONGEST_EMAIL: usize = 254;

fn take(limiter: &Limiter, of: &String) -> Result<(), Problem> {
    limiter.check(of).map_err(|wait| {
        let detail = "Too many requests from this address.";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait.as_secs() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: Option<&[&str]>, peer: &str, sent: &[&str]) -> String {
        let trusted_proxies = proxies.map(|all| all.iter().map(|one| one.to_string().try_into().unwrap()).collect());
        let public_url = Some("https://mcp.example.com".to_owned());
        let proxies = Proxies::new(&Server { trusted_proxies, public_url, ..Server::default() });
        let mut headers = HeaderMap::new();
        for line in sent {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_not_ours_is_the_clients() {
        let ours: &[&str] = &["10.0.0.0/8", "192.168.1.7", "fd00::/8"];
        for (peer, sent, found) in [
            ("10.0.0.1", &["203.0.113.9"] as &[_], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9, 192.168.1.7"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9", "10.2.3.4"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &["[2001:db8::9]:4711, 10.1.1.1:80"], "2001:db8::9"),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[], "10.0.0.1"),
            // Who is not ours is not believed, and what cannot be read is nobody.
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("192.168.1.8", &["198.51.100.1"], "192.168.1.8"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
        ] {
            assert_eq!(client(Some(ours), peer, sent), found, "{peer} {sent:?}");
        }
    }

    #[test]
    fn a_customer_of_a_provider_has_a_network() {
        let customer = |text: &str| customer(text.parse().unwrap()).to_string();
        assert_eq!(customer("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(customer("203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn behind_a_public_address_this_machine_is_believed_unless_somebody_else_is_named() {
        assert_eq!(client(None, "127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(None, "10.0.0.1", &["203.0.113.9"]), "10.0.0.1");
        assert_eq!(client(Some(&[]), "127.0.0.1", &["203.0.113.9"]), "127.0.0.1");
        let nothing = Proxies::new(&Server::default());
        assert!(nothing.0.is_empty());
    }
}
