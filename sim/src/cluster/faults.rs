//! What goes wrong, and when.

use std::io;

use client::session::{Request, WritePart};
use jute::quorum::config::Role;
use storage::sim_disk::Op;
use zab::RoleStatus;

use super::life::Death;
use super::{Cluster, Event, Own, settings};
use crate::scenario::Fault;
use crate::violation::Checked;
use crate::world::{self, Due, tell};

impl Cluster {
    pub(super) fn fault(&mut self) -> Checked {
        if self.world.now_us < self.world.rest_until_us && self.world.fault_rng.percent(80) {
            // A deposed leader is to come back undisturbed, mostly.
            self.world.at(200_000, world::Event::Fault);
            return Ok(());
        }
        match self.world.due_fault() {
            Due::Nothing => Ok(()),
            Due::Fault(kind) => self.inflict(kind),
            Due::Settling => self.begin_settling(),
        }
    }

    fn inflict(&mut self, kind: Fault) -> Checked {
        let at = self.victim();
        match kind {
            Fault::PowerLoss => return self.die(at, Death::Power),
            Fault::Kill => return self.die(at, Death::Process),
            Fault::CrashInside => {
                let most = if self.world.fault_rng.percent(70) {
                    12
                } else {
                    120
                };
                let ops = self.world.fault_rng.between(1..most);
                self.machines[at].disk.crash_after(ops);
            }
            Fault::CrashAt => self.draw_crash(),
            Fault::Blackout => {
                for at in 0..self.machines.len() {
                    self.die(at, Death::Power)?;
                }
            }
            Fault::BreakLink => self.world.break_link(),
            Fault::StallLink => self.world.stall_link(),
            Fault::ClientDies => self.world.kill_client(),
            Fault::WallJump => {
                let by_ms = self.world.draw_jump_ms();
                self.machines[at].clock.wall_offset_ms += by_ms;
                tell!(
                    self.world,
                    "server {}: the wall clock jumps by {by_ms} ms",
                    at + 1
                );
            }
            Fault::DiskFull | Fault::SyncError | Fault::SlowDisk => self.spoil_disk(at, kind),
            Fault::Purge => return self.purge(at),
            Fault::Partition => self.partition(),
            Fault::Depose => return self.depose(),
            Fault::OneWay => {
                let other = self.other(at);
                self.net.cuts.insert((at, other));
                tell!(
                    self.world,
                    "network: nothing gets from {} to {}",
                    at + 1,
                    other + 1
                );
                self.heal_later();
            }
            Fault::BreakPeer => self.break_wire(),
            Fault::SlowPeer => {
                let other = self.other(at);
                let us = self.world.fault_rng.between(5_000..400_000);
                self.net.slow_us.insert((at, other), us);
                self.heal_later();
            }
            Fault::LoseNotifications => {
                self.net.lost_percent = self.world.fault_rng.between(10..80);
                self.heal_later();
            }
            Fault::Pause => {
                let us = self.world.fault_rng.between(20_000..4_000_000);
                self.machines[at].paused_until_us = self.world.now_us + us;
                tell!(
                    self.world,
                    "server {}: stands still for {} ms",
                    at + 1,
                    us / 1000
                );
            }
            Fault::HandOver => {
                let at = self.leader().unwrap_or(at);
                return self.stop(at);
            }
            Fault::RollingRestart => self.at(1, Event::Roll { at: 0 }),
            Fault::Wipe => {
                self.machines[at].to_be_wiped = true;
                return self.die(at, Death::Process);
            }
            Fault::Reconfigure => return self.reconfigure(),
            // A setting: see `Settings`.
            Fault::Rollover => {}
            Fault::Rot => {
                self.machines[at].is_to_rot = true;
                return self.die(at, Death::Process);
            }
        }
        Ok(())
    }

    /// Whom a fault befalls: often the leader, for that hurts most.
    fn victim(&mut self) -> usize {
        match self.leader() {
            Some(leader) if self.world.fault_rng.percent(35) => leader,
            _ => self.world.fault_rng.below(self.machines.len() as u64) as usize,
        }
    }

    fn other(&mut self, than: usize) -> usize {
        let members = self.machines.len();
        match members {
            1 => than,
            _ => (than + self.world.fault_rng.between(1..members as u64) as usize) % members,
        }
    }

    /// The leader of the latest epoch.
    pub(super) fn leader(&self) -> Option<usize> {
        let leaders = self
            .machines
            .iter()
            .enumerate()
            .filter_map(
                |(at, machine)| match machine.process.as_ref()?.member.peer().status() {
                    RoleStatus::Leading { epoch } => Some((epoch, at)),
                    _ => None,
                },
            );
        leaders.max().map(|(_, at)| at)
    }

    fn heal_later(&mut self) {
        let after = match self.world.fault_rng.percent(50) {
            true => self.world.fault_rng.between(50_000..1_000_000),
            false => self.world.fault_rng.between(500_000..6_000_000),
        };
        self.at(after, Event::Heal);
    }

    /// Two groups, or one server on its own.
    fn partition(&mut self) {
        let members = self.machines.len();
        let alone = self.victim();
        let single = self.world.fault_rng.percent(50);
        let mut side = vec![false; members];
        for (at, side) in side.iter_mut().enumerate() {
            *side = match single {
                true => at == alone,
                false => self.world.fault_rng.percent(50),
            };
        }
        for from in 0..members {
            for to in 0..members {
                if side[from] != side[to] {
                    self.net.cuts.insert((from, to));
                }
            }
        }
        tell!(self.world, "network: torn into {side:?}");
        self.heal_later();
    }

    /// Cuts the leader off for about as long as it takes it to notice. What its own clients ask of
    /// it then it logs in vain; all others rest, so that the next leader does not go on before the
    /// deposed one is back: it must truncate its log.
    fn depose(&mut self) -> Checked {
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        for other in 0..self.machines.len() {
            if other != leader {
                self.net.cuts.insert((leader, other));
                self.net.cuts.insert((other, leader));
            }
        }
        tell!(self.world, "network: {} is cut off", leader + 1);
        let limit_us = self.settings.sync_limit_us();
        let heal = limit_us + self.world.fault_rng.between(300_000..1_500_000);
        self.at(heal, Event::Heal);
        self.world.rest_until_us = self.world.now_us + heal + 2 * limit_us;
        if self.world.scenario.kinds.contains(&Fault::CrashAt) {
            match self.world.fault_rng.below(5) {
                0 | 1 => self.draw_crash_at("Truncate"),
                2 | 3 => self.draw_crash_at("Reload"),
                _ => {}
            }
        }
        self.ask_in_vain(leader)?;
        if self.world.fault_rng.percent(50) {
            // Its next start applies what it has logged in vain, too.
            let after = self.world.fault_rng.between(20_000..200_000);
            self.own(leader, after, Own::Exit);
        }
        Ok(())
    }

    fn ask_in_vain(&mut self, leader: usize) -> Checked {
        for client in 0..self.world.scenario.clients as usize {
            let found = &self.world.clients[client];
            let link = found.link.and_then(|link| self.world.links.get(&link));
            let ours = link.is_some_and(|link| link.server == leader);
            if ours && found.session.is_established() && !found.dead {
                for _ in 0..self.world.fault_rng.between(1..4) {
                    let data = self.world.fault_rng.next_u64().to_be_bytes().to_vec();
                    let request = Request::Write(WritePart::SetData {
                        path: "/a".to_owned(),
                        data: Some(data),
                        version: -1,
                    });
                    self.world.submit(client, request)?;
                }
            }
        }
        Ok(())
    }

    /// Both sides learn of it, or only one: the other finds out by silence.
    fn break_wire(&mut self) {
        let ids: Vec<u64> = self.net.wires.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = *self.world.fault_rng.pick(&ids);
        let how = self.world.fault_rng.below(4);
        let wire = self.net.wires.get_mut(&id).expect("picked from them");
        let (rng, now_us) = (&mut self.world.rng, self.world.now_us);
        wire.up.lose_tail(rng);
        wire.down.lose_tail(rng);
        let (mut up, mut down) = (None, None);
        match how {
            0 => {
                up = wire.up.end(rng, now_us, 0);
                wire.down.go_dead();
            }
            1 => {
                down = wire.down.end(rng, now_us, 0);
                wire.up.go_dead();
            }
            _ => {
                up = wire.up.end(rng, now_us, 0);
                down = wire.down.end(rng, now_us, 0);
            }
        }
        if let Some(at_us) = up {
            self.when(at_us, Event::Up { wire: id });
        }
        if let Some(at_us) = down {
            self.when(at_us, Event::Down { wire: id });
        }
    }

    fn spoil_disk(&mut self, at: usize, kind: Fault) {
        let disk = self.machines[at].disk.clone();
        let rng = &mut self.world.fault_rng;
        match kind {
            Fault::DiskFull => {
                disk.set_capacity(Some(disk.used() + rng.below(6000)));
                let after = rng.between(200_000..4_000_000);
                self.machines[at].disk_is_limited = true;
                self.at(after, Event::SpaceBack { at });
            }
            Fault::SyncError => {
                let op = *rng.pick(&[Op::Sync, Op::Sync, Op::Write, Op::SyncDir]);
                disk.fail_next(op, io::ErrorKind::Other);
                self.machines[at].disk_fails = true;
            }
            _ => {
                for op in [Op::Write, Op::Sync, Op::SyncDir] {
                    disk.set_cost(op, rng.between(100..80_000));
                }
                self.at(2_000_000, Event::FastAgain { at });
            }
        }
    }

    fn purge(&mut self, at: usize) -> Checked {
        let keep = self.settings.keep;
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        let purged = process.journal.files().purge(keep);
        if machine.is_down() {
            return self.disk_died(at, "purge");
        }
        match purged {
            Ok(removed) => self.world.coverage.add("file purged", removed.len() as u64),
            // It is tried again another time.
            Err(_) => self.world.coverage.count("purge failed"),
        }
        Ok(())
    }

    /// Stops a server in order.
    fn stop(&mut self, at: usize) -> Checked {
        if self.is_alive(at) {
            let leads = self.leader() == Some(at);
            self.world.coverage.count(match leads {
                true => "leader stopped in order",
                false => "server stopped in order",
            });
            return self.peer_input(at, zab::Input::HandOver);
        }
        Ok(())
    }

    /// The next server of a rolling restart.
    pub(super) fn roll(&mut self, at: usize) -> Checked {
        if at >= self.machines.len() || !self.world.faults_may_wait() {
            return Ok(());
        }
        if at + 1 == self.machines.len() {
            self.world.coverage.count("rolling restart");
        }
        let after = self.world.fault_rng.between(500_000..3_000_000);
        self.at(after, Event::Roll { at: at + 1 });
        self.stop(at)
    }

    /// Some of the servers vote, others observe, or are left out.
    fn reconfigure(&mut self) -> Checked {
        let members = self.machines.len();
        let Some(admin) = self.world.admin() else {
            return Ok(());
        };
        if !self.world.clients[admin].session.is_established() {
            return Ok(());
        }
        let rng = &mut self.world.fault_rng;
        let voters = rng
            .between(members.min(3) as u64 - 1..members as u64 + 1)
            .max(2) as usize;
        let mut ids: Vec<usize> = (1..=members).collect();
        let mut wanted = Vec::new();
        while wanted.len() < voters {
            let at = rng.below(ids.len() as u64) as usize;
            wanted.push((ids.remove(at), Role::Participant));
        }
        for id in ids {
            if rng.percent(60) {
                wanted.push((id, Role::Observer));
            }
        }
        wanted.sort_by_key(|(id, _)| *id);
        self.world.coverage.count("reconfiguration asked for");
        self.world.submit(
            admin,
            Request::Reconfig {
                joining: None,
                leaving: None,
                new_members: Some(settings::lines(&wanted).replace('\n', ",")),
                version: -1,
            },
        )
    }
}
