//! A network, or one address, as people write it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Network {
        Network(address.into())
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| address());
        network.map(Network).map_err(|_| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}
