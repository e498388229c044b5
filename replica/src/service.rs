//! What a server does for its clients at the moment.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use jute::Zxid;

/// What a server does for its clients at the moment. A server without an ensemble always
/// serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Everything.
    Serving,
    /// The leader is lost: requests wait, pings are answered. New connections wait as well:
    /// an election is short.
    Holding,
    /// The same for longer: who connects now is sent on to another server.
    HoldingOld,
    /// Reads, for clients that asked for no more.
    ReadOnly,
    /// Nothing.
    Closed,
}

impl Service {
    const ALL: [Self; 5] = [
        Self::Serving,
        Self::Holding,
        Self::HoldingOld,
        Self::ReadOnly,
        Self::Closed,
    ];

    /// Whether requests wait.
    pub(crate) fn holds(self) -> bool {
        match self {
            Self::Serving | Self::ReadOnly => false,
            Self::Holding | Self::HoldingOld | Self::Closed => true,
        }
    }
}

/// The service and the position in the history that it is given at, as connections look at
/// them. Changed under the write guard of the state alone: who holds the read guard sees a
/// state and the service that goes with it.
#[derive(Debug)]
pub(crate) struct ServiceCell {
    service: AtomicU8,
    /// Zxid of the epoch that is served in.
    epoch: AtomicI64,
}

impl ServiceCell {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            service: AtomicU8::new(service as u8),
            epoch: AtomicI64::new(0),
        }
    }

    pub(crate) fn get(&self) -> Service {
        Service::ALL[usize::from(self.service.load(Ordering::Acquire))]
    }

    pub(crate) fn set(&self, service: Service) {
        self.service.store(service as u8, Ordering::Release);
    }

    pub(crate) fn epoch(&self) -> Zxid {
        Zxid(self.epoch.load(Ordering::Acquire))
    }

    pub(crate) fn set_epoch(&self, epoch: Zxid) {
        self.epoch.store(epoch.0, Ordering::Release);
    }
}
