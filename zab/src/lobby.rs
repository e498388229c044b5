//! Learners that come before their leader knows of its election.

use std::collections::BTreeMap;

use crate::core::Context;
use crate::effect::Io;
use crate::input::{Input, LearnerLink};
use crate::leave::Leave;
use crate::message::LearnerPacket;

/// Connections that wait at the most.
const WAITING_MAX: usize = 512;

/// Holds connections, and the one packet that a learner sends unasked, while this server is in an
/// election. Its followers often decide a moment before it does; sent away, they would have to look
/// for a leader again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lobby(BTreeMap<LearnerLink, Option<LearnerPacket>>);

impl Lobby {
    pub(crate) fn on_input(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::LearnerConnected(link) if self.0.len() < WAITING_MAX => {
                self.0.insert(link, None);
            }
            Input::LearnerConnected(link) => {
                let (what, max) = ("learners", WAITING_MAX);
                let why = Leave::TooMany { what, max };
                cx.out.push(Io::DropLearner(link, why));
            }
            Input::LearnerLost(link) => {
                self.0.remove(&link);
            }
            Input::FromLearner(link, packet) => match self.0.get_mut(&link) {
                Some(first @ None) => *first = Some(packet),
                // A second one before any answer has no place in the protocol.
                Some(Some(_)) => {
                    self.0.remove(&link);
                    let (packet, phase) = (packet.name(), "waiting for LEADERINFO");
                    let why = Leave::Unexpected { packet, phase };
                    cx.out.push(Io::DropLearner(link, why));
                }
                None => {}
            },
            _ => {}
        }
    }

    /// This server leads: what it has missed, in order.
    pub(crate) fn open(&mut self) -> Vec<Input> {
        let waiting = std::mem::take(&mut self.0);
        let inputs = waiting.into_iter().flat_map(|(link, packet)| {
            let packet = packet.map(|packet| Input::FromLearner(link, packet));
            [Some(Input::LearnerConnected(link)), packet]
        });
        inputs.flatten().collect()
    }

    /// Someone else leads.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        for link in std::mem::take(&mut self.0).into_keys() {
            cx.out.push(Io::DropLearner(link, Leave::NotLeading));
        }
    }
}
