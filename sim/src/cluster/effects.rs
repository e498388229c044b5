//! What a member wants is done.

use journal::Write;
use replica::member::Effect;
use zab::{
    Io, LeaderLink, LeaderPacket, LearnerPacket, Pretty, RoleStatus, ServerId, Store, Ticket,
};

use super::crash::Moment;
use super::machine::Job;
use super::{Cluster, Event, Own, Port, names};
use crate::checkers::{integrity, messages};
use crate::violation::Checked;
use crate::world::tell;

/// Entries that a server with the habits of 3.8 acknowledges once more.
const REPEATED_ACKS: usize = 4;

impl Cluster {
    pub(super) fn effect(&mut self, at: usize, effect: Effect) -> Checked {
        let kind = names::effect_kind(&effect);
        let life = self.machines[at].life;
        if self.crash_is_due(at, kind, Moment::Before) {
            return self.crash_now(at, kind, Moment::Before);
        }
        self.carry_out(at, effect)?;
        if self.machines[at].life == life && self.crash_is_due(at, kind, Moment::After) {
            return self.crash_now(at, kind, Moment::After);
        }
        Ok(())
    }

    fn carry_out(&mut self, at: usize, effect: Effect) -> Checked {
        match effect {
            Effect::Io(io) => return self.io(at, io),
            Effect::Reload(zxid) => {
                self.world.coverage.count("reload");
                tell!(
                    self.world,
                    "server {}: loads its state again, up to {}",
                    at + 1,
                    Pretty(zxid)
                );
                if let Some(process) = self.process(at) {
                    process.jobs.push_back(Job::Reload(zxid));
                }
            }
            Effect::SendSnapshot(link) => self.begin_tree(at, link),
            Effect::RoleChanged(status) => return self.role_changed(at, status),
            Effect::Alarm(zxid) => {
                let text = format!("server {} raises an alarm at {zxid}", at + 1);
                return Err(crate::violation::Violation::new("digests", text));
            }
        }
        Ok(())
    }

    fn io(&mut self, at: usize, io: Io) -> Checked {
        match io {
            Io::Store(ticket, store) => return self.store(at, ticket, store),
            Io::Notify { to, notification } => self.notify(at, to, &notification),
            Io::Connect { link, to, .. } => self.dial_soon(at, link, to, Port::Quorum),
            Io::ConnectToObserverMaster { link, to, .. } => {
                self.dial_soon(at, link, to, Port::ObserverMaster);
            }
            Io::LeaveLeader(link, why) => {
                tell!(self.world, "server {}: leaves its leader: {why}", at + 1);
                messages::left(at as u64 + 1, &why)?;
                self.abandon_tree(at, link);
                self.hang_up_on_leader(at, link);
            }
            Io::ToLeader(link, packet) => {
                let ends = matches!(packet, LearnerPacket::Ack { zxid } if zxid.counter() == 0);
                self.send_to_leader(at, link, &packet);
                if ends && self.settings.old_habits[at] {
                    self.repeat_acks(at, link);
                }
            }
            Io::ReceiveSnapshot(link, zxid) => return self.begin_receiving(at, link, zxid),
            Io::StageEntry(entry) => return self.stage(at, &entry),
            Io::DropLearner(link, why) => {
                messages::left(at as u64 + 1, &why)?;
                self.end_tree(at, link);
                self.hang_up_on_learner(at, link, &why);
            }
            Io::ToLearner(link, packet) => {
                if let LeaderPacket::Proposal(entry)
                | LeaderPacket::Inform(entry)
                | LeaderPacket::InformAndActivate { entry, .. } = &packet
                    && let Some(process) = &self.machines[at].process
                {
                    let status = process.member.peer().status();
                    let (server, end) = (at as u64 + 1, process.log_end);
                    integrity::sent(&mut self.ledger, server, status, end, entry)?;
                }
                self.send_to_learner(at, link, &packet);
            }
            Io::ReadLog {
                read,
                after,
                through,
                bytes_max,
                opening,
                ..
            } => {
                // Small pieces, so that a reader goes through many.
                let bytes_max = bytes_max.min(2000);
                let Some(process) = self.process(at) else {
                    return Ok(());
                };
                let (found, error) = process.reader.read(after, through, bytes_max, opening);
                if self.machines[at].is_down() {
                    return self.disk_died(at, "read the log");
                }
                if let Some(error) = error {
                    tell!(
                        self.world,
                        "server {}: cannot read its log: {error}",
                        at + 1
                    );
                    self.world.coverage.count("log not readable");
                }
                let entries = matches!(found, zab::LogRead::Entries { .. });
                if opening && entries {
                    self.world.coverage.count("log read for a learner");
                }
                self.answer_later(at, zab::Input::LogRead(read, found));
            }
        }
        Ok(())
    }

    fn dial_soon(&mut self, at: usize, link: LeaderLink, to: ServerId, port: Port) {
        let Some(to) = self.machine_of(to) else {
            return self.own(at, 1000, Own::NoLeader(link));
        };
        let after = self.world.rng.between(100..2000) + self.net.delay_us(at, to);
        let (from, life) = (at, self.machines[at].life);
        self.at(
            after,
            Event::Dial {
                from,
                life,
                link,
                to,
                port,
            },
        );
    }

    fn store(&mut self, at: usize, ticket: Ticket, store: Store) -> Checked {
        let server = at as u64 + 1;
        let now_us = self.now(at).monotonic_us;
        let Some(process) = &mut self.machines[at].process else {
            return Ok(());
        };
        let status = process.member.peer().status();
        match &store {
            Store::Append(entry) => {
                let before = process.log_end;
                integrity::logged(&mut self.ledger, server, status, before, entry)?;
                process.log_end = entry.zxid.0;
                if let RoleStatus::Leading { .. } = status {
                    if entry.zxid.counter() >= self.settings.counter_max() {
                        self.world.coverage.count("rollover");
                    }
                    let history = &self.world.history;
                    process.ephemerals.prepared(history, &entry.bytes, now_us)?;
                }
                tell!(self.world, "server {server}: logs {}", Pretty(entry.zxid));
            }
            Store::Truncate(zxid) => process.log_end = zxid.0,
            Store::InstallSnapshot(zxid) => process.log_end = zxid.0,
            Store::CurrentEpoch(epoch) if status == RoleStatus::Preparing => {
                self.leadership.claims(server, *epoch)?;
            }
            _ => {}
        }
        let mut write = Write::new(ticket, store);
        if let Store::InstallSnapshot(_) = write.store {
            let incoming = process.inflow.take().expect("a tree was received");
            write.tree = Some(Box::new(incoming.inflow));
        }
        process.jobs.push_back(Job::Write(write));
        Ok(())
    }

    /// Servers of 3.8 acknowledge every entry of the synchronisation as well, behind its end.
    fn repeat_acks(&mut self, at: usize, link: LeaderLink) {
        let mut end = self.machines[at].record.held().end;
        let mut again = Vec::new();
        while again.len() < REPEATED_ACKS
            && let Some(proposal) = self.ledger.get(end)
        {
            again.push(jute::Zxid(end));
            end = proposal.before;
        }
        for zxid in again.into_iter().rev() {
            self.world.coverage.count("ack repeated, as 3.8 does");
            self.send_to_leader(at, link, &LearnerPacket::Ack { zxid });
        }
    }
}
