//! How transcripts and coverage put it.

use jute::Zxid;
use jute::quorum::election::ServerState;
use replica::member::Effect;
use zab::election::Notification;
use zab::{Io, LeaderPacket, LearnerPacket, RoleStatus, ServerId, Store};

/// `epoch:counter`.
pub(super) fn pretty(zxid: Zxid) -> String {
    match zxid {
        Zxid(-1) => "-1".to_owned(),
        Zxid(i64::MIN) => "none".to_owned(),
        zxid => format!("{}:{}", zxid.epoch(), zxid.counter()),
    }
}

pub(super) fn status(status: RoleStatus) -> String {
    match status {
        RoleStatus::Looking => "looks for a leader".to_owned(),
        RoleStatus::Joining { leader } => format!("joins {leader}"),
        RoleStatus::Following { leader, epoch } => format!("follows {leader} in epoch {epoch}"),
        RoleStatus::Observing { leader, epoch } => format!("observes {leader} in epoch {epoch}"),
        RoleStatus::Preparing => "is elected, and prepares to lead".to_owned(),
        RoleStatus::Leading { epoch } => format!("leads epoch {epoch}"),
        RoleStatus::Halted => "has stopped".to_owned(),
    }
}

pub(super) fn notification(notification: &Notification) -> String {
    let state = match notification.state {
        ServerState::Looking => "looking",
        ServerState::Following => "following",
        ServerState::Leading => "leading",
        ServerState::Observing => "observing",
    };
    let vote = &notification.vote;
    let leader = match vote.leader {
        ServerId::NON_VOTER => "no one".to_owned(),
        id => id.to_string(),
    };
    format!(
        "{state}, round {}, votes for {leader} (epoch {}, {})",
        notification.round,
        vote.peer_epoch,
        pretty(vote.zxid)
    )
}

pub(super) fn leader_packet(packet: &LeaderPacket) -> String {
    let name = packet.name();
    match packet {
        LeaderPacket::LeaderInfo { epoch } => format!("{name} {epoch}"),
        LeaderPacket::NewLeader { epoch, config } => {
            let version = config.as_ref().map_or(Zxid(-1), |config| config.version());
            format!("{name} {epoch}, configuration {}", pretty(version))
        }
        LeaderPacket::Diff { zxid }
        | LeaderPacket::Trunc { zxid }
        | LeaderPacket::Snap { zxid }
        | LeaderPacket::Commit { zxid }
        | LeaderPacket::Ping { zxid } => format!("{name} {}", pretty(*zxid)),
        LeaderPacket::CommitAndActivate { zxid, leader } => {
            format!("{name} {}, led by {leader}", pretty(*zxid))
        }
        LeaderPacket::Proposal(entry) | LeaderPacket::Inform(entry) => {
            format!("{name} {}", pretty(entry.zxid))
        }
        LeaderPacket::InformAndActivate { entry, leader } => {
            format!("{name} {}, led by {leader}", pretty(entry.zxid))
        }
        LeaderPacket::UpToDate | LeaderPacket::Sync => name.to_owned(),
        LeaderPacket::Revalidate { session, valid } => format!("{name} {session:x} {valid}"),
    }
}

pub(super) fn learner_packet(packet: &LearnerPacket) -> String {
    let name = packet.name();
    match packet {
        LearnerPacket::Info { accepted_epoch, .. } => {
            format!("{name}, accepted epoch {accepted_epoch}")
        }
        LearnerPacket::AckEpoch {
            current_epoch,
            last_zxid,
        } => {
            let current = current_epoch.map_or("none".to_owned(), |epoch| epoch.to_string());
            format!("{name}, current epoch {current}, {}", pretty(*last_zxid))
        }
        LearnerPacket::Ack { zxid } | LearnerPacket::Ping { zxid, .. } => {
            format!("{name} {}", pretty(*zxid))
        }
        LearnerPacket::Request(request) => {
            format!("{name} {:x} of session {:x}", request.cxid, request.session)
        }
        LearnerPacket::Revalidate { session, .. } => format!("{name} {session:x}"),
    }
}

/// Kinds of stores, as coverage counts crashes at them.
pub(super) const STORES: [&str; 8] = [
    "Append",
    "Truncate",
    "InstallSnapshot",
    "AcceptedEpoch",
    "CurrentEpoch",
    "CommittedConfig",
    "LastSeenConfig",
    "Barrier",
];

pub(super) fn store_kind(store: &Store) -> &'static str {
    match store {
        Store::Append(_) => "Append",
        Store::Truncate(_) => "Truncate",
        Store::InstallSnapshot(_) => "InstallSnapshot",
        Store::AcceptedEpoch(_) => "AcceptedEpoch",
        Store::CurrentEpoch(_) => "CurrentEpoch",
        Store::CommittedConfig(_) => "CommittedConfig",
        Store::LastSeenConfig(_) => "LastSeenConfig",
        Store::Barrier => "Barrier",
    }
}

pub(super) fn store(store: &Store) -> Option<String> {
    Some(match store {
        Store::Append(_) | Store::Barrier => return None,
        Store::Truncate(zxid) => format!("the log is truncated to {}", pretty(*zxid)),
        Store::InstallSnapshot(zxid) => format!("a tree of {} is installed", pretty(*zxid)),
        Store::AcceptedEpoch(epoch) => format!("acceptedEpoch {epoch}"),
        Store::CurrentEpoch(epoch) => format!("currentEpoch {epoch}"),
        Store::CommittedConfig(config) => {
            format!("configuration {} committed", pretty(config.version()))
        }
        Store::LastSeenConfig(config) => {
            format!("configuration {} seen", pretty(config.version()))
        }
    })
}

/// Kinds of effects besides stores.
pub(super) const EFFECTS: [&str; 13] = [
    "Reload",
    "Notify",
    "Connect",
    "LeaveLeader",
    "ToLeader",
    "ReceiveSnapshot",
    "StageEntry",
    "DropLearner",
    "ToLearner",
    "SendSnapshot",
    "ReadLog",
    "RoleChanged",
    "Store",
];

pub(super) fn effect_kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Io(io) => io_kind(io),
        Effect::Reload(_) => "Reload",
        Effect::SendSnapshot(_) => "SendSnapshot",
        Effect::RoleChanged(_) => "RoleChanged",
        Effect::Alarm(_) => "Alarm",
    }
}

fn io_kind(io: &Io) -> &'static str {
    match io {
        Io::Store(..) => "Store",
        Io::Notify { .. } => "Notify",
        Io::Connect { .. } => "Connect",
        Io::ConnectToObserverMaster { .. } => "ConnectToObserverMaster",
        Io::LeaveLeader(..) => "LeaveLeader",
        Io::ToLeader(..) => "ToLeader",
        Io::ReceiveSnapshot(..) => "ReceiveSnapshot",
        Io::StageEntry(_) => "StageEntry",
        Io::DropLearner(..) => "DropLearner",
        Io::ToLearner(..) => "ToLearner",
        Io::ReadLog { .. } => "ReadLog",
    }
}
