//! What the stored `ephemeralOwner` of a node means.

use jute::data::{Stat, StatPersisted};

/// Who or what decides how long a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody: persistent.
    None,
    /// A session: the node goes with it.
    Session(i64),
    /// A container: goes when its last child has gone.
    Container,
    /// Goes when it has no children and was not written for so many milliseconds.
    Ttl(i64),
}

impl Owner {
    /// How a container is stored.
    pub const CONTAINER_RAW: i64 = i64::MIN;
    /// Longest time to live, milliseconds.
    pub const MAX_TTL_MS: i64 = (1 << 40) - 1;
    const TTL_MARK: i64 = 0xff << 56;
    const FEATURE_MASK: i64 = 0xffff << 40;

    /// How a node with a time to live is stored.
    pub fn ttl_raw(ttl_ms: i64) -> i64 {
        Self::TTL_MARK | ttl_ms
    }
}

/// Which encodings of an owner are recognised; part of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerRules {
    /// `zookeeper.extendedTypesEnabled`: the top byte 0xff marks extended types.
    pub extended_types: bool,
    /// `zookeeper.emulate353TTLNodes`: any other negative owner is a TTL of 3.5.3.
    pub emulate_353_ttl: bool,
}

impl OwnerRules {
    /// The meaning of a stored owner. An extended type other than TTL, which no server
    /// writes, counts as persistent: nobody may take it for a session of theirs.
    pub fn classify(self, raw: i64) -> Owner {
        match raw {
            0 => Owner::None,
            Owner::CONTAINER_RAW => Owner::Container,
            _ if self.emulate_353_ttl && raw < 0 && raw & Owner::TTL_MARK != Owner::TTL_MARK => {
                Owner::Ttl(raw & ((1 << 60) - 1))
            }
            _ if self.extended_types && raw & Owner::TTL_MARK == Owner::TTL_MARK => {
                if raw & Owner::FEATURE_MASK == 0 {
                    Owner::Ttl(raw & Owner::MAX_TTL_MS)
                } else {
                    Owner::None
                }
            }
            _ => Owner::Session(raw),
        }
    }

    /// The Stat of a node as a client sees it, from the stored one.
    pub fn client_stat(self, stat: &StatPersisted, data_len: usize, num_children: u32) -> Stat {
        let num_children = num_children as i32;
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: stat.aversion,
            ephemeral_owner: match self.classify(stat.ephemeral_owner) {
                Owner::Session(session) => session,
                Owner::None | Owner::Container | Owner::Ttl(_) => 0,
            },
            data_length: data_len as i32,
            num_children,
            pzxid: stat.pzxid,
        }
    }
}
