//! Clients that are not simulated here: somebody else runs them, and connects them by bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Link, World};

/// Something arrives at a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The connection.
    pub link: u64,
    /// What has come; nothing if that is the end.
    pub bytes: Vec<u8>,
}

/// Their side of the network.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Connections that are open at the client's end.
    open: BTreeSet<u64>,
    /// Until then nothing gets through between a client and its servers, by client.
    cut_until_us: BTreeMap<usize, u64>,
    arrived: Vec<Arrival>,
}

impl Outside {
    pub(super) fn links(&self) -> impl Iterator<Item = u64> + '_ {
        self.open.iter().copied()
    }

    pub(crate) fn take_arrived(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrived)
    }
}

impl World {
    /// A client connects to a server; it is told the number of the connection. Whether anybody is
    /// there it learns by what arrives.
    pub(crate) fn dial(&mut self, client: usize, server: usize) -> u64 {
        self.last_link += 1;
        let id = self.last_link;
        let outside = self.outside.as_mut().expect("there are clients outside");
        outside.open.insert(id);
        let cut_until_us = outside.cut_until_us.get(&client).copied();
        let after = self.rng.between(50..1000);
        let mut link = Link::new(client, server);
        let accepted_us = cut_until_us.unwrap_or(0).max(self.now_us + after);
        link.stalled_until_us = accepted_us;
        self.links.insert(id, link);
        self.when(accepted_us, Event::Accept { link: id });
        id
    }

    /// A client sends.
    pub(crate) fn send_from_outside(&mut self, id: u64, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let delay_us = link.delay_us(self.now_us);
        let times = link.up.send(&mut self.rng, self.now_us, delay_us, bytes);
        for at_us in times {
            self.when(at_us, Event::ToServer { link: id });
        }
    }

    /// A client closes its end. `silently`, its machine is gone: the server is not told.
    pub(crate) fn hang_up(&mut self, id: u64, silently: bool) {
        let outside = self.outside.as_mut().expect("there are clients outside");
        outside.open.remove(&id);
        match self.links.get_mut(&id) {
            Some(link) if silently => {
                link.up.go_dead();
                link.down.go_dead();
            }
            _ => self.forget_link(id),
        }
    }

    /// Nothing gets through between a client and its servers until then.
    pub(crate) fn cut_off(&mut self, client: usize, until_us: u64) {
        let outside = self.outside.as_mut().expect("there are clients outside");
        outside.cut_until_us.insert(client, until_us);
        let links = self.links.values_mut();
        for link in links.filter(|link| link.client == client) {
            link.stalled_until_us = link.stalled_until_us.max(until_us);
        }
    }

    pub(super) fn reach_outside(&mut self, id: u64, bytes: Vec<u8>) {
        let Some(outside) = &mut self.outside else {
            return;
        };
        let is_end = bytes.is_empty();
        if !outside.open.contains(&id) {
            return;
        }
        outside.arrived.push(Arrival { link: id, bytes });
        if is_end {
            outside.open.remove(&id);
            self.coverage.count("connection lost");
            self.forget_link(id);
        }
    }
}
