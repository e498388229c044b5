//! What lies between the members of an ensemble: nothing, a proxy for each ordered pair, or
//! network namespaces. The last two can be cut, also one way.

mod namespaces;
mod proxies;

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Result, bail};
use reserved_port::ReservedPort;

use super::config::Address;
use namespaces::Namespaces;
use proxies::Proxies;

/// What to put between the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Loopback; cannot be cut.
    Direct,
    /// Loopback through a TCP proxy for each ordered pair; bytes can be held back.
    Proxies,
    /// A namespace with an address of its own for each member; packets can be dropped. Needs root.
    Namespaces,
}

/// Ports of one member on loopback, held for as long as the ensemble lives.
#[derive(Debug)]
struct Ports {
    client: ReservedPort,
    quorum: ReservedPort,
    election: ReservedPort,
}

impl Ports {
    fn reserve() -> Result<Self> {
        Ok(Self {
            client: ReservedPort::reserve()?,
            quorum: ReservedPort::reserve()?,
            election: ReservedPort::reserve()?,
        })
    }

    fn address(&self) -> Address {
        Address {
            host: self.client.address().ip().to_string(),
            quorum: self.quorum.address().port(),
            election: self.election.address().port(),
            client: self.client.address().port(),
        }
    }
}

/// The network of one ensemble.
#[derive(Debug)]
pub(crate) struct Network {
    ids: Vec<u64>,
    ports: Vec<Ports>,
    between: Between,
}

#[derive(Debug)]
enum Between {
    Nothing,
    Proxies(Proxies),
    Namespaces(Namespaces),
}

impl Network {
    /// Makes it for members with these ids.
    ///
    /// # Errors
    /// When ports or namespaces cannot be had.
    pub(crate) fn new(kind: Kind, ids: &[u64]) -> Result<Self> {
        let mut ports = Vec::new();
        let between = match kind {
            Kind::Namespaces => Between::Namespaces(Namespaces::new(ids)?),
            Kind::Direct | Kind::Proxies => {
                for _ in ids {
                    ports.push(Ports::reserve()?);
                }
                if kind == Kind::Direct {
                    Between::Nothing
                } else {
                    let own: Vec<Address> = ports.iter().map(Ports::address).collect();
                    Between::Proxies(Proxies::new(ids, &own)?)
                }
            }
        };
        Ok(Self {
            ids: ids.to_vec(),
            ports,
            between,
        })
    }

    /// Addresses of all members, in their order, as member `viewer` is told. Its own is the real
    /// one.
    pub(crate) fn view(&self, viewer: u64) -> Vec<Address> {
        if let Between::Namespaces(namespaces) = &self.between {
            return self.ids.iter().map(|&id| namespaces.address(id)).collect();
        }
        let mut view: Vec<Address> = self.ports.iter().map(Ports::address).collect();
        if let Between::Proxies(proxies) = &self.between {
            for (&id, address) in self.ids.iter().zip(&mut view) {
                if id != viewer {
                    (address.quorum, address.election) = proxies.ports(viewer, id);
                }
            }
        }
        view
    }

    /// Where clients reach member `id`.
    pub(crate) fn client_address(&self, id: u64) -> SocketAddr {
        if let Between::Namespaces(namespaces) = &self.between {
            return namespaces.client_address(id);
        }
        let at = self.ids.iter().position(|&known| known == id);
        self.ports[at.expect("a member's id")].client.address()
    }

    /// The command that runs `command` where member `id` lives.
    pub(crate) fn placed(&self, id: u64, command: Command) -> Command {
        match &self.between {
            Between::Namespaces(namespaces) => namespaces.placed(id, &command),
            Between::Nothing | Between::Proxies(_) => command,
        }
    }

    /// From now on nothing that `from` sends reaches `to`. Connections stay, as when packets
    /// are lost on the way.
    ///
    /// # Errors
    /// When this network cannot be cut.
    pub(crate) fn cut(&self, from: u64, to: u64) -> Result<()> {
        match &self.between {
            Between::Nothing => bail!("a direct network cannot be cut"),
            Between::Proxies(proxies) => {
                proxies.cut(from, to);
                Ok(())
            }
            Between::Namespaces(namespaces) => namespaces.cut(from, to),
        }
    }

    /// Cuts every pair of one member of `left` and one of `right`, both ways.
    ///
    /// # Errors
    /// As [`Network::cut`].
    pub(crate) fn split(&self, left: &[u64], right: &[u64]) -> Result<()> {
        for &one in left {
            for &other in right {
                self.cut(one, other)?;
                self.cut(other, one)?;
            }
        }
        Ok(())
    }

    /// Ends every cut. What was held back goes on, as a retransmission would.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn heal(&self) -> Result<()> {
        match &self.between {
            Between::Nothing => Ok(()),
            Between::Proxies(proxies) => {
                proxies.heal();
                Ok(())
            }
            Between::Namespaces(namespaces) => namespaces.heal(),
        }
    }

    /// Ends every cut, and every connection that was cut together with what was held back: as
    /// when the far end has gone before a packet came through.
    ///
    /// # Errors
    /// When this network holds nothing back.
    pub(crate) fn discard_and_heal(&self) -> Result<()> {
        let Between::Proxies(proxies) = &self.between else {
            bail!("only proxies can discard what they hold");
        };
        proxies.discard_and_heal();
        Ok(())
    }
}
