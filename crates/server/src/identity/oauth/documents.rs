//! Clients whose id is the address of a document that describes them (draft-ietf-oauth-client-id-metadata-document).
//!
//! A stranger chooses the address that is fetched. So it is fetched for people who have signed in only, over https, on
//! the usual port, from addresses of the public internet alone: the name is resolved once, every answer is judged, and the
//! connection goes to what was judged. Nothing is followed, little is read, not for long, and seldom.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use oauth_as::cimd::{CimdPolicy, ClientIdUrl, ValidatedClientIdDocument};
use oauth_as::client::Client;
use sdk::{Error, Result};
use tokio::time::Instant;

use super::redirects;
use crate::app::{self, Limiter};

/// The whole fetch may take this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Documents of one host.
const A_MINUTE: u32 = 10;
/// After a document that did not come, clients are not told for so long that they may send one: they register instead.
const ILL: Duration = Duration::from_secs(600);

/// Fetches and judges documents.
pub struct Documents {
    policy: CimdPolicy,
    /// Of tests: every document comes from here, `http://127.0.0.1:9000` + host + path.
    stand_in: Option<String>,
    limiter: Limiter,
    /// When the internet was last found to be out of reach.
    failed: Mutex<Option<Instant>>,
}

/// Why a document was not loaded.
enum Trouble {
    /// It is not one that may be taken.
    Refused(String),
    /// Nobody answered.
    Unreachable,
}

impl Documents {
    pub fn new(policy: CimdPolicy, stand_in: Option<String>) -> Documents {
        Documents { policy, stand_in, limiter: Limiter::new(A_MINUTE), failed: Mutex::default() }
    }

    /// Whether documents can be fetched, as far as is known.
    pub fn come_through(&self) -> bool {
        self.failed().is_none_or(|at| at.elapsed() > ILL)
    }

    fn failed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether an id is meant as the address of a document.
    pub fn is_address(id: &str) -> bool {
        id.starts_with("https://")
    }

    /// The client that the document at this address describes.
    pub async fn fetch(&self, id: &str) -> Result<Client> {
        let refused = |why: String| Error::invalid_input(format!("the client's document is not taken: {why}"));
        let address = ClientIdUrl::parse(id, &self.policy).map_err(|e| refused(e.to_string()))?;
        let url = url::Url::parse(id).map_err(|e| refused(e.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if self.limiter.check(&host).is_err() {
            return Err(Error::unavailable("documents of this host were fetched too often; wait a minute"));
        }
        let fetched = tokio::time::timeout(PATIENCE, self.load(&url, &host)).await;
        let body = match fetched.unwrap_or(Err(Trouble::Unreachable)) {
            Ok(body) => body,
            Err(Trouble::Refused(why)) => return Err(refused(why)),
            Err(Trouble::Unreachable) => {
                *self.failed() = Some(Instant::now());
                return Err(refused(
                    "it cannot be fetched; connect the client again, and it will register instead".into(),
                ));
            }
        };
        *self.failed() = None;
        let read = ValidatedClientIdDocument::validate(&address, &body, &self.policy);
        let client = read.map_err(|e| refused(e.to_string()))?.to_client();
        match client.redirect_uris.iter().find_map(|uri| redirects::read(uri).err()) {
            Some(why) => Err(refused(why)),
            None => Ok(client),
        }
    }

    async fn load(&self, url: &url::Url, host: &str) -> Result<Vec<u8>, Trouble> {
        let broken = |e: Error| Trouble::Refused(e.message);
        let (client, from) = match &self.stand_in {
            Some(stand_in) => (app::client().map_err(broken)?, format!("{stand_in}/{host}{}", url.path())),
            None => {
                let addresses = public_addresses(url, host).await?;
                (app::client_to(host, &addresses).map_err(broken)?, url.to_string())
            }
        };
        let mut answer = client.get(from).header("accept", "application/json").send().await.map_err(plainly)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(Trouble::Refused(format!("its server answers {}", answer.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(plainly)? {
            body.extend_from_slice(&chunk);
            if body.len() > self.policy.max_document_bytes {
                return Err(Trouble::Refused("it is too large".into()));
            }
        }
        Ok(body)
    }
}

/// What the caller is told says nothing about who answers, and how.
fn plainly(_: reqwest::Error) -> Trouble {
    Trouble::Unreachable
}

/// Where the name leads, if everywhere it leads is public.
async fn public_addresses(url: &url::Url, host: &str) -> Result<Vec<SocketAddr>, Trouble> {
    let refused = |why: &str| Err(Trouble::Refused(why.into()));
    if url.port_or_known_default() != Some(443) {
        return refused("it is not on the usual port");
    }
    let found =
        tokio::net::lookup_host((host.trim_matches(['[', ']']), 443)).await.map_err(|_| Trouble::Unreachable)?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() || found.iter().any(|address| !is_public(address.ip())) {
        return refused("its host is not on the public internet");
    }
    Ok(found)
}

/// Whether an address belongs to the public internet: the library knows the special ones, and of IPv6 only 2000::/3 was
/// ever given out.
fn is_public(ip: IpAddr) -> bool {
    let literal = match ip {
        IpAddr::V4(v4) => format!("https://{v4}/"),
        IpAddr::V6(v6) if v6.segments()[0] & 0xe000 == 0x2000 => format!("https://[{v6}]/"),
        IpAddr::V6(_) => return false,
    };
    ClientIdUrl::parse(&literal, &CimdPolicy::new()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_asked() {
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:810::200e"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn addresses_that_lead_inside_are_refused_before_anything_is_sent() {
        let documents = Documents::new(CimdPolicy::new(), None);
        for id in [
            "https://localhost/client.json",
            "https://127.0.0.1/client.json",
            "https://2130706433/client.json",
            "https://0x7f.1/client.json",
            "https://[::1]/client.json",
            "https://[::ffff:127.0.0.1]/client.json",
            "https://169.254.169.254/latest/meta-data/",
            "https://example.com:8443/client.json",
            "https://user@example.com/client.json",
            "https://example.com/a/../client.json",
            "https://example.com",
            "http://example.com/client.json",
        ] {
            assert!(documents.fetch(id).await.is_err(), "{id}");
        }
    }
}
