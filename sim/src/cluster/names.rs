//! What coverage and crash points call it.

use replica::member::Effect;
use zab::{Io, Store};

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
