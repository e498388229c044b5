use super::packet::{PacketType, QuorumPacket};
use super::payload::{ForwardedRequest, LearnerInfo, RevalidateRequest, SessionTouch};
use crate::Zxid;
use crate::data::Id;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Limits, Reader};

/// What a learner says to its leader or observer master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnerMessage<'a> {
    /// FOLLOWERINFO.
    FollowerInfo {
        /// Its acceptedEpoch, shifted by 32 bits.
        zxid: Zxid,
        /// Who it is.
        info: LearnerInfo,
    },
    /// OBSERVERINFO.
    ObserverInfo {
        /// Its acceptedEpoch, shifted by 32 bits.
        zxid: Zxid,
        /// Who it is.
        info: LearnerInfo,
    },
    /// ACKEPOCH.
    AckEpoch {
        /// The last transaction in its log.
        last_zxid: Zxid,
        /// Its currentEpoch; -1 if the leader shall not count the learner.
        current_epoch: i32,
    },
    /// ACK: a transaction and all before it are durable, or with a counter of 0 the
    /// history that NEWLEADER ended.
    Ack {
        /// Up to where.
        zxid: Zxid,
    },
    /// PING, the answer to the leader's.
    Ping {
        /// The leader's, echoed.
        zxid: Zxid,
        /// The sessions heard of since the last one.
        touched: Vec<SessionTouch>,
    },
    /// REQUEST.
    Request {
        /// The request.
        request: ForwardedRequest<'a>,
        /// The client's identities; `None` in a createSession.
        authinfo: Option<Vec<Id<'a>>>,
    },
    /// REVALIDATE.
    Revalidate(RevalidateRequest),
}

/// The zxid of a packet in which it means nothing.
const NO_ZXID: Zxid = Zxid(-1);

impl<'a> LearnerMessage<'a> {
    /// What a packet from a learner means.
    ///
    /// # Errors
    /// A type that learners do not send, or a payload that is not of its form. Offsets count
    /// from the start of the payload.
    pub fn from_packet(packet: QuorumPacket<'a>, limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(packet.data.unwrap_or_default(), limits);
        let reader = &mut reader;
        let zxid = Zxid(packet.zxid);
        Ok(match PacketType::from_i32(packet.kind) {
            Some(PacketType::FollowerInfo) => Self::FollowerInfo {
                zxid,
                info: LearnerInfo::decode(reader)?,
            },
            Some(PacketType::ObserverInfo) => Self::ObserverInfo {
                zxid,
                info: LearnerInfo::decode(reader)?,
            },
            Some(PacketType::AckEpoch) => Self::AckEpoch {
                last_zxid: zxid,
                current_epoch: reader.i32()?,
            },
            Some(PacketType::Ack) => Self::Ack { zxid },
            Some(PacketType::Ping) => Self::Ping {
                zxid,
                touched: touch_table(reader)?,
            },
            Some(PacketType::Request) => Self::Request {
                request: ForwardedRequest::decode(reader)?,
                authinfo: packet.authinfo,
            },
            Some(PacketType::Revalidate) => Self::Revalidate(RevalidateRequest::decode(reader)?),
            _ => return Err(reader.error(DecodeErrorKind::UnknownType(packet.kind))),
        })
    }

    fn kind(&self) -> PacketType {
        match self {
            Self::FollowerInfo { .. } => PacketType::FollowerInfo,
            Self::ObserverInfo { .. } => PacketType::ObserverInfo,
            Self::AckEpoch { .. } => PacketType::AckEpoch,
            Self::Ack { .. } => PacketType::Ack,
            Self::Ping { .. } => PacketType::Ping,
            Self::Request { .. } => PacketType::Request,
            Self::Revalidate(_) => PacketType::Revalidate,
        }
    }

    fn zxid(&self) -> Zxid {
        match self {
            Self::FollowerInfo { zxid, .. }
            | Self::ObserverInfo { zxid, .. }
            | Self::AckEpoch {
                last_zxid: zxid, ..
            }
            | Self::Ack { zxid }
            | Self::Ping { zxid, .. } => *zxid,
            Self::Request { .. } | Self::Revalidate(_) => NO_ZXID,
        }
    }

    /// `None` where there is no payload.
    fn payload(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Self::FollowerInfo { info, .. } | Self::ObserverInfo { info, .. } => {
                info.encode(&mut out);
            }
            Self::AckEpoch { current_epoch, .. } => current_epoch.encode(&mut out),
            Self::Ack { .. } => return None,
            Self::Ping { touched, .. } => {
                for touch in touched {
                    touch.encode(&mut out);
                }
            }
            Self::Request { request, .. } => request.encode(&mut out),
            Self::Revalidate(request) => request.encode(&mut out),
        }
        Some(out)
    }
}

/// Rows to the end of the payload: no count says how many. They take no more memory than
/// a few times the packet.
fn touch_table(reader: &mut Reader<'_>) -> Result<Vec<SessionTouch>, DecodeError> {
    let mut touched = Vec::new();
    while reader.remaining() > 0 {
        touched.push(SessionTouch::decode(reader)?);
    }
    Ok(touched)
}

/// The whole packet.
impl Encode for LearnerMessage<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.kind().as_i32().encode(out);
        self.zxid().0.encode(out);
        let Self::Request { request, authinfo } = self else {
            self.payload().as_deref().encode(out);
            return None::<Vec<Id<'_>>>.encode(out);
        };
        // There are many of them: no copy is made for the sake of the length.
        let prefix = out.len();
        0_i32.encode(out);
        let start = out.len();
        request.encode(out);
        let len = (out.len() - start) as i32;
        out[prefix..start].copy_from_slice(&len.to_be_bytes());
        authinfo.encode(out);
    }
}
