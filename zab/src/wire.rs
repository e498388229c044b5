//! Between the packets as they stand on the wire and as the roles understand them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use jute::data::Id;
use jute::quorum::config::{ConfigFault, Role};
use jute::quorum::election::NotificationFault;
use jute::quorum::{
    ForwardedRequest, LeaderMessage, LearnerInfo, LearnerMessage, PROTOCOL_VERSION, QuorumConfig,
    QuorumPacket, RevalidateRequest, RevalidateResponse, election,
};
use jute::txn::{LogEntry, Txn, TxnHeader};
use jute::wire::{Decode, DecodeError, Encode, Limits, Reader};
use jute::{OpCode, Zxid};
use thiserror::Error;

use crate::Epoch;
use crate::election::{Notification, Vote};
use crate::message::{Entry, LeaderPacket, LearnerPacket, Request};
use crate::quorum::{Config, ConfigError};

/// Why a packet or a message is not one. The connection ends; a notification is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes are not of the packet's form.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Not a notification.
    #[error(transparent)]
    Notification(#[from] NotificationFault),
    /// A configuration that does not parse.
    #[error("configuration: {0}")]
    ConfigText(#[from] ConfigFault),
    /// A configuration that cannot be one.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// A transaction under another zxid than its own.
    #[error("a transaction {inside} in a packet of {packet}")]
    OtherZxid {
        /// The packet's.
        packet: Zxid,
        /// The header's.
        inside: Zxid,
    },
    /// A peer from before 3.4, without LEADERINFO and ACKEPOCH.
    #[error("protocol version {0:?} is not supported")]
    OldProtocol(Option<i32>),
}

/// A configuration's text, in NEWLEADER, in notifications and in reconfigurations.
pub fn parse_config(text: &[u8]) -> Result<Config, WireError> {
    let config = QuorumConfig::parse(&String::from_utf8_lossy(text))?;
    Ok(Config::try_from(config)?)
}

impl Entry {
    /// An entry as it was logged or proposed. Looks into it only as far as its header; into a
    /// reconfiguration for the configuration that it carries.
    pub fn from_bytes(zxid: Zxid, bytes: Bytes, limits: Limits) -> Result<Self, WireError> {
        let header = TxnHeader::decode(&mut Reader::new(&bytes, limits))?;
        let inside = Zxid(header.zxid);
        if inside != zxid {
            let packet = zxid;
            return Err(WireError::OtherZxid { packet, inside });
        }
        let mut config = None;
        if header.kind == OpCode::Reconfig.as_i32()
            && let Txn::Reconfig(txn) = LogEntry::from_bytes(&bytes, limits)?.txn
        {
            let parsed = parse_config(txn.data.unwrap_or_default())?;
            config = Some(parsed.under(zxid));
        }
        Ok(Self {
            zxid,
            bytes,
            config,
        })
    }
}

impl LeaderPacket {
    /// What a packet from a leader means. `buffer` is what the packet was decoded from: the
    /// transaction in it is shared, not copied.
    pub fn from_packet(
        packet: &QuorumPacket<'_>,
        buffer: &Bytes,
        limits: Limits,
    ) -> Result<Self, WireError> {
        let entry = |zxid, bytes| Entry::from_bytes(zxid, buffer.slice_ref(bytes), limits);
        Ok(match LeaderMessage::from_packet(packet, limits)? {
            LeaderMessage::LeaderInfo {
                zxid,
                protocol_version,
            } => {
                supported(Some(protocol_version))?;
                let epoch = Epoch::of(zxid);
                Self::LeaderInfo { epoch }
            }
            LeaderMessage::Diff { zxid } => Self::Diff { zxid },
            LeaderMessage::Trunc { zxid } => Self::Trunc { zxid },
            LeaderMessage::Snap { zxid } => Self::Snap { zxid },
            LeaderMessage::Proposal { zxid, entry: bytes } => Self::Proposal(entry(zxid, bytes)?),
            LeaderMessage::Commit { zxid } => Self::Commit { zxid },
            LeaderMessage::CommitAndActivate { zxid, designated } => Self::CommitAndActivate {
                zxid,
                leader: designated,
            },
            LeaderMessage::Inform { zxid, entry: bytes } => Self::Inform(entry(zxid, bytes)?),
            LeaderMessage::InformAndActivate {
                zxid,
                designated,
                entry: bytes,
            } => Self::InformAndActivate {
                entry: entry(zxid, bytes)?,
                leader: designated,
            },
            LeaderMessage::NewLeader { zxid, config } => {
                let text = config.filter(|text| !text.is_empty());
                Self::NewLeader {
                    epoch: Epoch::of(zxid),
                    config: text.map(parse_config).transpose()?,
                }
            }
            LeaderMessage::UpToDate => Self::UpToDate,
            LeaderMessage::Sync => Self::Sync,
            LeaderMessage::Ping { zxid } => Self::Ping { zxid },
            LeaderMessage::Revalidate(RevalidateResponse { session, valid }) => {
                Self::Revalidate { session, valid }
            }
        })
    }

    /// Appends the whole packet. Behind SNAP the tree is to follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text;
        let message = match self {
            Self::LeaderInfo { epoch } => LeaderMessage::LeaderInfo {
                zxid: epoch.zxid(),
                protocol_version: PROTOCOL_VERSION,
            },
            Self::Diff { zxid } => LeaderMessage::Diff { zxid: *zxid },
            Self::Trunc { zxid } => LeaderMessage::Trunc { zxid: *zxid },
            Self::Snap { zxid } => LeaderMessage::Snap { zxid: *zxid },
            Self::Proposal(entry) => LeaderMessage::Proposal {
                zxid: entry.zxid,
                entry: &entry.bytes,
            },
            Self::Commit { zxid } => LeaderMessage::Commit { zxid: *zxid },
            Self::CommitAndActivate { zxid, leader } => LeaderMessage::CommitAndActivate {
                zxid: *zxid,
                designated: *leader,
            },
            Self::Inform(entry) => LeaderMessage::Inform {
                zxid: entry.zxid,
                entry: &entry.bytes,
            },
            Self::InformAndActivate { entry, leader } => LeaderMessage::InformAndActivate {
                zxid: entry.zxid,
                designated: *leader,
                entry: &entry.bytes,
            },
            Self::NewLeader { epoch, config } => {
                text = config.as_ref().map(|config| config.to_string());
                LeaderMessage::NewLeader {
                    zxid: epoch.zxid(),
                    config: text.as_ref().map(String::as_bytes),
                }
            }
            Self::UpToDate => LeaderMessage::UpToDate,
            Self::Sync => LeaderMessage::Sync,
            Self::Ping { zxid } => LeaderMessage::Ping { zxid: *zxid },
            Self::Revalidate { session, valid } => LeaderMessage::Revalidate(RevalidateResponse {
                session: *session,
                valid: *valid,
            }),
        };
        message.encode(out);
    }
}

impl LearnerPacket {
    /// What a packet from a learner means. `last` are the identities that came last on the link:
    /// clients that are the same share them.
    pub fn from_packet(
        packet: QuorumPacket<'_>,
        limits: Limits,
        last: &mut Option<Arc<[Id<'static>]>>,
    ) -> Result<Self, WireError> {
        Ok(match LearnerMessage::from_packet(packet, limits)? {
            LearnerMessage::FollowerInfo { zxid, info } => {
                Self::from_info(Role::Participant, zxid, info)?
            }
            LearnerMessage::ObserverInfo { zxid, info } => {
                Self::from_info(Role::Observer, zxid, info)?
            }
            LearnerMessage::AckEpoch {
                last_zxid,
                current_epoch,
            } => Self::AckEpoch {
                current_epoch: (current_epoch >= 0).then(|| Epoch(i64::from(current_epoch))),
                last_zxid,
            },
            LearnerMessage::Ack { zxid } => Self::Ack { zxid },
            LearnerMessage::Ping { zxid, touched } => Self::Ping { zxid, touched },
            LearnerMessage::Request { request, authinfo } => {
                let shared = authinfo.map(|ids| match last {
                    Some(last) if ids == **last => Arc::clone(last),
                    _ => Arc::clone(last.insert(ids.into_iter().map(owned).collect())),
                });
                Self::Request(Request {
                    session: request.session,
                    cxid: request.cxid,
                    op: request.op,
                    body: Bytes::copy_from_slice(request.body),
                    identities: shared,
                })
            }
            LearnerMessage::Revalidate(RevalidateRequest {
                session,
                timeout_ms,
            }) => Self::Revalidate {
                session,
                timeout_ms,
            },
        })
    }

    fn from_info(role: Role, zxid: Zxid, info: LearnerInfo) -> Result<Self, WireError> {
        supported(info.protocol_version)?;
        Ok(Self::Info {
            role,
            server: info.server,
            accepted_epoch: Epoch::of(zxid),
            config_version: Zxid(info.config_version.unwrap_or_default()),
        })
    }

    /// Appends the whole packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let message = match self {
            Self::Info {
                role,
                server,
                accepted_epoch,
                config_version,
            } => {
                let zxid = accepted_epoch.zxid();
                let info = LearnerInfo::new(*server, config_version.0);
                match role {
                    Role::Participant => LearnerMessage::FollowerInfo { zxid, info },
                    Role::Observer => LearnerMessage::ObserverInfo { zxid, info },
                }
            }
            Self::AckEpoch {
                current_epoch,
                last_zxid,
            } => LearnerMessage::AckEpoch {
                last_zxid: *last_zxid,
                // An epoch fits: zxids have 32 bits for it.
                current_epoch: current_epoch.map_or(-1, |epoch| epoch.0 as i32),
            },
            Self::Ack { zxid } => LearnerMessage::Ack { zxid: *zxid },
            Self::Ping { zxid, touched } => LearnerMessage::Ping {
                zxid: *zxid,
                touched: touched.clone(),
            },
            Self::Request(request) => request.to_message(),
            Self::Revalidate {
                session,
                timeout_ms,
            } => LearnerMessage::Revalidate(RevalidateRequest {
                session: *session,
                timeout_ms: *timeout_ms,
            }),
        };
        message.encode(out);
    }
}

impl Request {
    fn to_message(&self) -> LearnerMessage<'_> {
        let ids = self.identities.as_ref();
        LearnerMessage::Request {
            request: ForwardedRequest {
                session: self.session,
                cxid: self.cxid,
                op: self.op,
                body: &self.body,
            },
            authinfo: ids.map(|ids| ids.iter().map(borrowed).collect()),
        }
    }
}

impl Notification {
    /// Reads the body of a frame.
    pub fn from_bytes(body: &[u8]) -> Result<Self, WireError> {
        let message = election::Notification::from_bytes(body)?;
        Ok(Self {
            state: message.state,
            vote: Vote {
                leader: message.leader,
                zxid: message.zxid,
                peer_epoch: Epoch(message.peer_epoch),
            },
            round: message.election_epoch,
            version: message.version,
            config: message.config.map(parse_config).transpose()?,
        })
    }

    /// The body of a frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = self.config.as_ref().map(|config| config.to_string());
        let message = election::Notification {
            state: self.state,
            leader: self.vote.leader,
            zxid: self.vote.zxid,
            election_epoch: self.round,
            peer_epoch: self.vote.peer_epoch.0,
            version: self.version,
            config: text.as_ref().map(String::as_bytes),
        };
        let mut out = Vec::new();
        message.encode(&mut out);
        out
    }
}

fn owned(id: Id<'_>) -> Id<'static> {
    let text = |text: Option<Cow<'_, str>>| Some(text.unwrap_or_default().into_owned().into());
    Id {
        scheme: text(id.scheme),
        id: text(id.id),
    }
}

fn borrowed<'a>(id: &'a Id<'static>) -> Id<'a> {
    let text = |text: &'a Option<Cow<'static, str>>| {
        let text = text.as_deref().unwrap_or_default();
        Some(Cow::Borrowed(text))
    };
    Id {
        scheme: text(&id.scheme),
        id: text(&id.id),
    }
}

fn supported(version: Option<i32>) -> Result<(), WireError> {
    match version {
        Some(PROTOCOL_VERSION..) => Ok(()),
        old => Err(WireError::OldProtocol(old)),
    }
}

#[cfg(test)]
mod tests;
