//! How people read what peers say and do: in transcripts, in logs.

use std::fmt;

use jute::Zxid;

use crate::effect::{RoleStatus, Store};
use crate::election::{Notification, Vote};
use crate::message::{LeaderPacket, LearnerPacket};
use crate::{Epoch, ServerId};

/// `epoch:counter`, as people write zxids.
#[derive(Clone, Copy, Debug)]
pub struct Pretty(pub Zxid);

impl fmt::Display for Pretty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Zxid(i64::MIN) => f.write_str("none"),
            Zxid(-1) => f.write_str("-1"),
            zxid => write!(f, "{}:{}", zxid.epoch(), zxid.counter()),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self(epoch) => write!(f, "{epoch}"),
        }
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leader {
            ServerId::NON_VOTER => f.write_str("no one")?,
            leader => write!(f, "{leader}")?,
        }
        write!(f, " (epoch {}, {})", self.peer_epoch, Pretty(self.zxid))
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, round) = (self.state, self.round);
        write!(f, "{state}, round {round}, votes for {}", self.vote)
    }
}

impl fmt::Display for RoleStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Looking => f.write_str("looking"),
            Self::Joining { leader } => write!(f, "joins {leader}"),
            Self::Following { leader, epoch } => write!(f, "follows {leader} in epoch {epoch}"),
            Self::Observing { leader, epoch } => write!(f, "observes {leader} in epoch {epoch}"),
            Self::Preparing => f.write_str("prepares to lead"),
            Self::Leading { epoch } => write!(f, "leads epoch {epoch}"),
            Self::Halted => f.write_str("halted"),
        }
    }
}

impl fmt::Display for LeaderPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::LeaderInfo { epoch } => write!(f, " {epoch}"),
            Self::NewLeader { epoch, config } => {
                let version = config.as_ref().map_or(Zxid(-1), |config| config.version());
                write!(f, " {epoch}, configuration {}", Pretty(version))
            }
            Self::Diff { zxid }
            | Self::Trunc { zxid }
            | Self::Snap { zxid }
            | Self::Commit { zxid }
            | Self::Ping { zxid } => write!(f, " {}", Pretty(*zxid)),
            Self::Proposal(entry) | Self::Inform(entry) => write!(f, " {}", Pretty(entry.zxid)),
            Self::CommitAndActivate { zxid, leader } => {
                write!(f, " {}, led by {leader}", Pretty(*zxid))
            }
            Self::InformAndActivate { entry, leader } => {
                write!(f, " {}, led by {leader}", Pretty(entry.zxid))
            }
            Self::UpToDate | Self::Sync => Ok(()),
            Self::Revalidate { session, valid } => {
                let word = if *valid { "alive" } else { "dead" };
                write!(f, " {session:x}: {word}")
            }
        }
    }
}

impl fmt::Display for LearnerPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Info { accepted_epoch, .. } => write!(f, ", accepted epoch {accepted_epoch}"),
            Self::AckEpoch {
                current_epoch,
                last_zxid,
            } => {
                let current = current_epoch.unwrap_or(Epoch::NONE);
                write!(f, ", current epoch {current}, {}", Pretty(*last_zxid))
            }
            Self::Ack { zxid } | Self::Ping { zxid, .. } => write!(f, " {}", Pretty(*zxid)),
            Self::Request(request) => {
                write!(f, " {:x} of session {:x}", request.cxid, request.session)
            }
            Self::Revalidate { session, .. } => write!(f, " {session:x}"),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(entry) => Pretty(entry.zxid).fmt(f),
            Self::Truncate(zxid) => write!(f, "truncation to {}", Pretty(*zxid)),
            Self::InstallSnapshot(zxid) => write!(f, "snapshot {}", Pretty(*zxid)),
            Self::AcceptedEpoch(epoch) => write!(f, "acceptedEpoch {epoch}"),
            Self::CurrentEpoch(epoch) => write!(f, "currentEpoch {epoch}"),
            Self::CommittedConfig(config) => {
                write!(f, "committed configuration {}", Pretty(config.version()))
            }
            Self::LastSeenConfig(config) => {
                write!(f, "configuration seen last {}", Pretty(config.version()))
            }
            Self::Barrier => f.write_str("barrier"),
        }
    }
}
