//! What peers ask for, done in memory.

use jute::Zxid;
use zab::{
    Effect, Io, LeaderLink, LearnerPacket, LogRead, Pretty, RoleStatus, ServerId, Store, Ticket,
};

use super::network::{Down, Up};
use super::{Ensemble, Input};

impl Ensemble {
    pub(super) fn effect(&mut self, id: ServerId, effect: Effect) {
        match effect {
            Effect::Io(io) => self.io(id, io),
            Effect::Pong(link, zxid) => {
                let touched = Vec::new();
                self.send_up(id, link, LearnerPacket::Ping { zxid, touched });
            }
            Effect::SendSnapshot(link) => {
                let tree = self.server(id).tree.clone();
                if let Some(connection) = self.net.of_leader(link)
                    && connection.leader_open
                {
                    connection.down.push_back(Down::Tree(tree));
                }
            }
            Effect::Deliver { through } => self.deliver(id, through),
            Effect::Reload(zxid) => {
                let server = self.server(id);
                server.tree = server.disk.visible.history.clone();
                server.tree.retain(|entry| entry.zxid <= zxid);
                self.count("reload");
            }
            Effect::RoleChanged(status) => self.status(id, status),
            Effect::Synced(sync) => {
                self.note(format!("{id}: sync {} is done", sync.0));
                self.server(id).synced.push(sync);
            }
            Effect::SyncAnswered => {
                self.note(format!("{id}: a sync is done"));
                self.server(id).sync_answers += 1;
            }
            Effect::Forwarded(link, request) if request.is_sync() => {
                self.server(id).inbox.push_back(Input::LearnerSync(link));
            }
            Effect::Forwarded(_, request) => {
                self.note(format!("{id}: takes request {}", request.cxid));
            }
            Effect::Revalidate { link, session, .. } => {
                let valid = session % 2 == 1;
                self.note(format!("{id}: is asked about session {session}"));
                self.server(id).inbox.push_back(Input::Revalidated {
                    link,
                    session,
                    valid,
                });
            }
            Effect::Revalidated { session, valid } => {
                let word = if valid { "alive" } else { "dead" };
                self.note(format!("{id}: session {session} is {word}"));
            }
            Effect::Touched(..) => {}
            Effect::Alarm(zxid) => self.note(format!("{id}: alarm at {}", Pretty(zxid))),
        }
    }

    fn io(&mut self, id: ServerId, io: Io) {
        match io {
            Io::Store(ticket, store) => self.store(id, ticket, store),
            Io::Notify { to, notification } => {
                self.net.notifications.insert((id, to), notification);
            }
            Io::Connect { link, to, .. } => self.net.dial(id, link, to, false),
            Io::ConnectToObserverMaster { link, to, .. } => {
                self.net.dial(id, link, to, true);
            }
            Io::LeaveLeader(link, why) => {
                self.note(format!("{id}: leaves its leader: {why}"));
                self.server(id).staged = None;
                self.net
                    .dials
                    .retain(|dial| dial.from != id || dial.link != link);
                if let Some(connection) = self.net.of_learner(id, link) {
                    connection.close_learner();
                }
            }
            Io::ToLeader(link, packet) => self.send_up(id, link, packet),
            Io::ReceiveSnapshot(..) => self.server(id).staged = None,
            Io::StageEntry(entry) => {
                let staged = self
                    .server(id)
                    .staged
                    .as_mut()
                    .expect("a tree was received");
                let last = staged.last().map(|entry| entry.zxid);
                if last.is_none_or(|last| last < entry.zxid) {
                    staged.push(entry);
                }
            }
            Io::DropLearner(link, why) => {
                if why.to_string().ends_with("syncs at a time") {
                    self.count("throttled");
                }
                if let Some(connection) = self.net.of_leader(link) {
                    connection.close_leader();
                    let learner = connection.learner;
                    self.note(format!("{id}: drops {learner}: {why}"));
                }
            }
            Io::ToLearner(link, packet) => {
                self.count(packet.name());
                if let Some(connection) = self.net.of_leader(link)
                    && connection.leader_open
                {
                    connection.down.push_back(Down::Packet(packet));
                }
            }
            Io::ReadLog {
                read,
                after,
                through,
                opening,
                ..
            } => {
                let found = self.read_log(id, after, through, opening);
                self.server(id).inbox.push_back(Input::LogRead(read, found));
            }
        }
    }

    /// Servers of 3.8 acknowledge every entry of the synchronisation as well, behind its end.
    fn send_up(&mut self, id: ServerId, link: LeaderLink, packet: LearnerPacket) {
        let ends = matches!(packet, LearnerPacket::Ack { zxid } if zxid.counter() == 0);
        self.push_up(id, link, packet);
        let server = self.server(id);
        if ends && server.old_habits {
            let durable = server.disk.durable.last();
            let all = server.disk.durable.history.iter().rev().take(4);
            let mut again: Vec<Zxid> = all.map(|entry| entry.zxid).collect();
            again.retain(|zxid| *zxid <= durable);
            for zxid in again.into_iter().rev() {
                self.push_up(id, link, LearnerPacket::Ack { zxid });
            }
        }
    }

    fn push_up(&mut self, id: ServerId, link: LeaderLink, packet: LearnerPacket) {
        if let Some(connection) = self.net.of_learner(id, link)
            && connection.learner_open
        {
            connection.up.push_back(Up::Packet(packet));
        }
    }

    fn store(&mut self, id: ServerId, ticket: Ticket, store: Store) {
        let server = self.server(id);
        let mut staged = None;
        if let Store::InstallSnapshot(_) = store {
            let tree = server.staged.take().expect("a tree was received");
            server.tree = tree.clone();
            staged = Some(tree);
        }
        server.disk.issue(ticket, store, staged);
    }

    fn deliver(&mut self, id: ServerId, through: Zxid) {
        if self.lenient {
            return;
        }
        let server = self.server(id);
        let last = server.tree.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        let more = server.disk.visible.history.iter();
        let more = more.filter(|entry| entry.zxid > last && entry.zxid <= through);
        let more: Vec<_> = more.cloned().collect();
        server.tree.extend(more);
        let tree = server.tree.clone();
        let end = tree.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        assert!(
            end == through || through.counter() == 0,
            "{id}: {end} is not {through}"
        );
        self.note(format!("{id}: delivers through {}", Pretty(through)));
        self.checker.on_delivered(id, &tree);
        self.check_durable();
    }

    fn status(&mut self, id: ServerId, status: RoleStatus) {
        self.note(format!("{id}: {}", status));
        if let RoleStatus::Leading { epoch } = status {
            let history = self.server(id).disk.visible.history.clone();
            self.checker.on_established(id, epoch, &history);
            self.count("established");
        }
        if let RoleStatus::Following { .. } | RoleStatus::Observing { .. } = status {
            self.server(id).wiped = false;
        }
        if status.serves()
            && self.servers[&id]
                .peer
                .as_ref()
                .is_some_and(|peer| peer.status() == status)
        {
            self.serves(id);
        }
    }

    fn read_log(&self, id: ServerId, after: Zxid, through: Zxid, opening: bool) -> LogRead {
        let image = &self.servers[&id].disk.visible;
        let next = image.history.partition_point(|entry| entry.zxid <= after);
        let floor = next.checked_sub(1).map(|at| image.history[at].zxid);
        let reaches = match opening {
            true => self.log_sync && next > image.in_snapshot,
            false => next >= image.in_snapshot,
        };
        if !reaches {
            return LogRead::Unavailable;
        }
        let entries = image.history[next..].iter();
        let entries = entries.take_while(|entry| entry.zxid <= through).take(3);
        LogRead::Entries {
            floor: floor.unwrap_or(Zxid::ZERO),
            entries: entries.cloned().collect(),
        }
    }
}
