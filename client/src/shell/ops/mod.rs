//! The operations.

mod admin;
mod create;
mod multi;
mod nodes;
mod watches;

use jute::data::Stat;

pub use admin::{ClientInfo, Reconfig};
pub use create::{CreateOptions, Created};
pub use multi::{Multi, MultiRead, ReadResult, WriteResult};

/// The version that a write expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Any,
    /// Exactly this one; any other fails with [`BadVersion`](jute::ErrorCode::BadVersion).
    Version(i32),
}

impl Expected {
    fn on_wire(self) -> i32 {
        match self {
            Self::Any => -1,
            Self::Version(version) => version,
        }
    }
}

impl From<i32> for Expected {
    fn from(version: i32) -> Self {
        Self::Version(version)
    }
}

impl From<&Stat> for Expected {
    fn from(stat: &Stat) -> Self {
        Self::Version(stat.version)
    }
}

/// The data of a write. ZooKeeper keeps no data (null) apart from empty data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload(Option<Vec<u8>>);

impl Payload {
    /// No data.
    pub fn null() -> Self {
        Self(None)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(data: Vec<u8>) -> Self {
        Self(Some(data))
    }
}

impl From<&[u8]> for Payload {
    fn from(data: &[u8]) -> Self {
        Self(Some(data.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    fn from(data: &[u8; N]) -> Self {
        Self(Some(data.to_vec()))
    }
}

impl From<&str> for Payload {
    fn from(data: &str) -> Self {
        Self(Some(data.as_bytes().to_vec()))
    }
}

impl From<String> for Payload {
    fn from(data: String) -> Self {
        Self(Some(data.into_bytes()))
    }
}

impl From<Option<Vec<u8>>> for Payload {
    fn from(data: Option<Vec<u8>>) -> Self {
        Self(data)
    }
}

/// A node's data and Stat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeData {
    /// The data; `None` for none at all, which is kept apart from empty.
    pub data: Option<Vec<u8>>,
    /// The Stat.
    pub stat: Stat,
}

impl NodeData {
    /// The data; empty if there is none.
    pub fn bytes(&self) -> &[u8] {
        self.data.as_deref().unwrap_or_default()
    }

    /// The data as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()).ok()
    }
}
