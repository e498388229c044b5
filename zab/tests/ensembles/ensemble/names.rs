//! How transcripts put it.

use jute::Zxid;
use jute::quorum::config::Role;
use jute::quorum::election::ServerState;
use zab::election::Notification;
use zab::{LeaderPacket, LearnerPacket, RoleStatus, ServerId, Store};

/// `epoch:counter`.
pub(crate) fn pretty(zxid: Zxid) -> String {
    match zxid {
        Zxid(-1) => "-1".to_owned(),
        Zxid(i64::MIN) => "none".to_owned(),
        zxid => format!("{}:{}", zxid.epoch(), zxid.counter()),
    }
}

fn server(id: ServerId) -> String {
    match id {
        ServerId::NON_VOTER => "no one".to_owned(),
        id => id.to_string(),
    }
}

pub(crate) fn status_name(status: RoleStatus) -> String {
    match status {
        RoleStatus::Looking => "looking".to_owned(),
        RoleStatus::Joining { leader } => format!("joins {leader}"),
        RoleStatus::Following { leader, epoch } => format!("follows {leader} in epoch {epoch}"),
        RoleStatus::Observing { leader, epoch } => format!("observes {leader} in epoch {epoch}"),
        RoleStatus::Preparing => "prepares to lead".to_owned(),
        RoleStatus::Leading { epoch } => format!("leads epoch {epoch}"),
        RoleStatus::Halted => "halted".to_owned(),
    }
}

pub(crate) fn notification(notification: &Notification) -> String {
    let state = match notification.state {
        ServerState::Looking => "looking",
        ServerState::Following => "following",
        ServerState::Leading => "leading",
        ServerState::Observing => "observing",
    };
    let vote = &notification.vote;
    format!(
        "{state}, round {}, votes for {} ({}, {})",
        notification.round,
        server(vote.leader),
        vote.peer_epoch,
        pretty(vote.zxid)
    )
}

pub(crate) fn leader_packet(packet: &LeaderPacket) -> String {
    let name = packet.name();
    match packet {
        LeaderPacket::LeaderInfo { epoch } => format!("{name} {epoch}"),
        LeaderPacket::NewLeader { epoch, config } => {
            let version = config.as_ref().map_or(Zxid(-1), |config| config.version());
            format!("{name} {epoch} config {}", pretty(version))
        }
        LeaderPacket::Diff { zxid }
        | LeaderPacket::Trunc { zxid }
        | LeaderPacket::Snap { zxid }
        | LeaderPacket::Commit { zxid }
        | LeaderPacket::Ping { zxid } => format!("{name} {}", pretty(*zxid)),
        LeaderPacket::CommitAndActivate { zxid, leader } => {
            format!("{name} {} leader {leader}", pretty(*zxid))
        }
        LeaderPacket::Proposal(entry) | LeaderPacket::Inform(entry) => {
            format!("{name} {}", pretty(entry.zxid))
        }
        LeaderPacket::InformAndActivate { entry, leader } => {
            format!("{name} {} leader {leader}", pretty(entry.zxid))
        }
        LeaderPacket::UpToDate | LeaderPacket::Sync | LeaderPacket::Revalidate { .. } => {
            name.to_owned()
        }
    }
}

pub(crate) fn learner_packet(packet: &LearnerPacket) -> String {
    let name = packet.name();
    match packet {
        LearnerPacket::Info { accepted_epoch, .. } => format!("{name} accepted {accepted_epoch}"),
        LearnerPacket::AckEpoch {
            current_epoch,
            last_zxid,
        } => {
            let current = current_epoch.map_or(-1, |epoch| epoch.0);
            format!("{name} current {current}, last {}", pretty(*last_zxid))
        }
        LearnerPacket::Ack { zxid } | LearnerPacket::Ping { zxid, .. } => {
            format!("{name} {}", pretty(*zxid))
        }
        LearnerPacket::Request(request) => format!("{name} {}", request.cxid),
        LearnerPacket::Revalidate { .. } => name.to_owned(),
    }
}

/// `None` for what no transcript needs.
pub(crate) fn store(store: &Store) -> Option<String> {
    Some(match store {
        Store::Append(entry) => pretty(entry.zxid),
        Store::Truncate(zxid) => format!("truncation to {}", pretty(*zxid)),
        Store::InstallSnapshot(zxid) => format!("snapshot {}", pretty(*zxid)),
        Store::AcceptedEpoch(epoch) => format!("acceptedEpoch {epoch}"),
        Store::CurrentEpoch(epoch) => format!("currentEpoch {epoch}"),
        Store::CommittedConfig(config) => format!("config {}", pretty(config.version())),
        Store::LastSeenConfig(_) | Store::Barrier => return None,
    })
}

/// Observers with an o behind.
pub(crate) fn members(members: &[(i64, Role)]) -> String {
    let mark = |role: Role| if role == Role::Observer { "o" } else { "" };
    let names = members
        .iter()
        .map(|(id, role)| format!("{id}{}", mark(*role)));
    names.collect::<Vec<_>>().join(" ")
}
