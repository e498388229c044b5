use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

/// Counts connections, in all (`maxCnxns`) and per address (`maxClientCnxns`).
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    max: usize,
    max_per_address: usize,
    total: AtomicUsize,
    per_address: DashMap<IpAddr, usize>,
}

/// One counted connection; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl ConnectionLimits {
    /// 0 means no limit.
    pub(crate) fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            total: AtomicUsize::new(0),
            per_address: DashMap::new(),
        })
    }

    /// Counts a connection; `None`, with the limit's name, if it is one too many.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, &'static str> {
        let mut count = self.per_address.entry(address).or_insert(0);
        if self.max_per_address > 0 && *count >= self.max_per_address {
            return Err("maxClientCnxns");
        }
        let total = self.total.fetch_add(1, Ordering::Relaxed);
        if self.max > 0 && total >= self.max {
            self.total.fetch_sub(1, Ordering::Relaxed);
            drop(count);
            self.per_address.remove_if(&address, |_, count| *count == 0);
            return Err("maxCnxns");
        }
        *count += 1;
        Ok(Place {
            limits: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limits.total.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut entry) = self.limits.per_address.entry(self.address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_gives_back() {
        let limits = ConnectionLimits::new(3, 2);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = limits.take(a).expect("room");
        let _second = limits.take(a).expect("room");
        assert_eq!(limits.take(a).err(), Some("maxClientCnxns"));
        let _third = limits.take(b).expect("room");
        assert_eq!(limits.take(b).err(), Some("maxCnxns"));
        drop(first);
        assert!(limits.take(b).is_ok());
    }
}
