//! What a member wants of its shell, and what it came to.

use std::sync::Arc;

use jute::Zxid;
use zab::{Io, LearnerLink, RoleStatus};

use crate::Connection;
use crate::answer::Touched;

/// What is to be done, in the order given.
#[derive(Clone, Debug)]
pub enum Effect {
    /// What consensus wants of disk and network. Before a [`zab::Store::InstallSnapshot`] is
    /// reported as stored, the state that it holds comes as
    /// [`Input::Loaded`](super::Input::Loaded).
    Io(Io),
    /// Loads the state from snapshot and log again, as of this zxid and no further, when the
    /// stores before this are done. Answered by [`Input::Loaded`](super::Input::Loaded).
    Reload(Zxid),
    /// Sends the tree as it is at some moment from now on, see [`zab::Effect::SendSnapshot`].
    SendSnapshot(LearnerLink),
    /// What this server does has changed; clients have been told.
    RoleChanged(RoleStatus),
    /// A digest mismatch that resynchronisation did not cure: an operator should know.
    Alarm(Zxid),
}

/// What a call came to.
#[derive(Default)]
pub struct Outcome {
    pub(super) effects: Vec<Effect>,
    pub(super) touched: Touched,
    /// Bytes of answers to reads behind writes, under the present guard.
    pub(super) read_bytes: usize,
}

impl Outcome {
    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The connections that have something to send, each once.
    pub fn take_touched(&mut self) -> Vec<Arc<Connection>> {
        std::mem::take(&mut self.touched).into_inner()
    }
}
