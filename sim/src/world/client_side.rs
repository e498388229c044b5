//! What happens at the clients.

use client::session::{Input, Request};

use super::network::Link;
use super::{Event, Phase, World, tell};
use crate::clients::{SimClient, Wish, workload};
use crate::settings::SUPER;
use crate::violation::Checked;

/// A client that has so many unanswered requests waits before it asks for more.
const OPEN_MAX: usize = 24;

impl World {
    /// A client that nobody has seen before.
    pub(crate) fn fresh_client(&mut self, at: usize) -> Checked<SimClient> {
        self.incarnations += 1;
        let name = format!("c{}", self.incarnations);
        let timeout_ms = self.work_rng.between(1500..6000) as i32;
        // A server alone answers what it has no space for with an error that is in no log: without
        // its own number the checkers could not tell such a request from another.
        let counts_anew = self.scenario.is_ensemble() && self.work_rng.percent(25);
        let mut client = SimClient::new(&mut self.work_rng, name, timeout_ms, counts_anew);
        client.heard = self.transcript.is_some().then(Vec::new);
        let user = match self.admin() == Some(at) {
            true => Some(SUPER.to_owned()),
            false if self.work_rng.percent(40) => {
                Some(format!("user{}:secret", self.work_rng.below(2)))
            }
            false => None,
        };
        if let Some(user) = user {
            let mut shared = crate::clients::Shared {
                history: &mut self.history,
                acknowledged: &mut self.acknowledged,
                refused: &mut self.refused,
                answered: &mut self.answered,
                coverage: &mut self.coverage,
                ensemble: self.scenario.is_ensemble(),
            };
            // Without a connection nothing is sent yet.
            let wishes = client.authenticate(self.now_us, &user, &mut shared)?;
            assert!(wishes.is_empty(), "nothing can be sent yet");
        }
        Ok(client)
    }

    /// The client who reconfigures.
    pub(crate) fn admin(&self) -> Option<usize> {
        self.has_admin.then_some(self.scenario.clients as usize)
    }

    pub(crate) fn tick(&mut self, at: usize) -> Checked {
        if self.clients[at].tick_us != Some(self.now_us) {
            // An earlier one took its place.
            return Ok(());
        }
        self.clients[at].tick_us = None;
        self.client_handles(at, Input::Tick)
    }

    pub(crate) fn think(&mut self, at: usize) -> Checked {
        if self.phase != Phase::Faulty || self.admin() == Some(at) {
            return Ok(());
        }
        let client = &self.clients[at];
        let rests = self.now_us < self.rest_until_us;
        let busy = rests || client.dead || client.session.has_ended() || client.open() > OPEN_MAX;
        let patient = !client.session.is_established() && self.work_rng.percent(80);
        if !busy && !patient {
            let burst = if self.work_rng.percent(30) {
                self.work_rng.between(2..12)
            } else {
                1
            };
            for _ in 0..burst {
                self.ask(at)?;
            }
        }
        let pause = if self.work_rng.percent(15) {
            self.work_rng.between(200_000..2_500_000)
        } else {
            self.work_rng.between(1000..120_000)
        };
        self.at(pause, Event::Think { client: at });
        Ok(())
    }

    fn ask(&mut self, at: usize) -> Checked {
        if self.requests_left == 0 || self.clients[at].session.has_ended() {
            return Ok(());
        }
        self.requests_left -= 1;
        let request = if self.work_rng.percent(1) {
            Request::CloseSession
        } else {
            let digests = &self.clients[at].checks.digests;
            workload::request(&mut self.work_rng, &self.history.model, digests)
        };
        self.submit(at, request)
    }

    pub(crate) fn submit(&mut self, at: usize, request: Request) -> Checked {
        tell!(self, "{}: asks {request:?}", self.clients[at].name);
        let now_us = self.now_us;
        let (client, mut shared) = self.client_and_shared(at);
        let wishes = client.submit(now_us, request, &mut shared)?;
        self.grant(at, wishes)
    }

    pub(crate) fn reach_client(&mut self, id: u64) -> Checked {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let Some(piece) = link.down.arrive() else {
            return Ok(());
        };
        let at = link.client;
        if self.outside.is_some() {
            self.reach_outside(id, piece);
            return Ok(());
        }
        if self.clients[at].link != Some(id) || self.clients[at].dead {
            return Ok(());
        }
        if piece.is_empty() {
            tell!(self, "{}: connection {id} is lost", self.clients[at].name);
            self.coverage.count("connection lost");
            self.clients[at].link = None;
            self.forget_link(id);
            return self.client_handles(at, Input::Disconnected);
        }
        self.client_handles(at, Input::Received(&piece))
    }

    fn client_handles(&mut self, at: usize, input: Input<'_>) -> Checked {
        if self.clients[at].dead {
            return Ok(());
        }
        let now_us = self.now_us;
        let watched = !self.clients[at].session.watches().is_empty();
        let (client, mut shared) = self.client_and_shared(at);
        let before = client.established;
        let wishes = client.handle(now_us, input, &mut shared)?;
        if client.established > before && before > 0 {
            self.coverage.count(if watched {
                "reconnect with watches"
            } else {
                "reconnect without watches"
            });
        }
        self.grant(at, wishes)?;
        self.schedule_client(at);
        Ok(())
    }

    pub(crate) fn schedule_client(&mut self, at: usize) {
        let client = &self.clients[at];
        if let Some(due_us) = client.session.next_deadline() {
            let due_us = due_us.max(self.now_us + 1);
            if client.tick_us.is_none_or(|at_us| at_us > due_us) {
                self.clients[at].tick_us = Some(due_us);
                self.when(due_us, Event::Tick { client: at });
            }
            return;
        }
        if (client.expired || client.closed) && !client.dead {
            self.clients[at].dead = true;
            let after = self.rng.between(1000..500_000);
            self.at(after, Event::Replace { client: at });
        }
    }

    pub(crate) fn replace(&mut self, at: usize) -> Checked {
        self.count_client(at);
        if let Some(link) = self.clients[at].link.take() {
            // The socket closes at last, if it has not before.
            self.close_client_end(link);
        }
        self.clients[at] = self.fresh_client(at)?;
        tell!(self, "{}: begins", self.clients[at].name);
        self.schedule_client(at);
        Ok(())
    }

    pub(crate) fn count_client(&mut self, at: usize) {
        let client = &self.clients[at];
        let (expired, closed) = (client.expired, client.closed);
        let (events, matched) = (client.events, client.tap.watching.matched);
        self.coverage.add("session expired", u64::from(expired));
        self.coverage
            .add("session closed by its client", u64::from(closed));
        self.coverage.add("watch event delivered", events);
        self.coverage
            .add("watch event checked on the last connection", matched);
    }

    fn tell_heard(&mut self, at: usize) {
        let heard = self.clients[at].heard.as_mut().map(std::mem::take);
        for line in heard.unwrap_or_default() {
            tell!(self, "{}: hears {line}", self.clients[at].name);
        }
    }

    fn grant(&mut self, at: usize, wishes: Vec<Wish>) -> Checked {
        self.tell_heard(at);
        for wish in wishes {
            match wish {
                Wish::Connect => self.connect(at)?,
                Wish::Send(bytes) => self.send_up(at, &bytes),
                Wish::Disconnect => {
                    if let Some(link) = self.clients[at].link.take() {
                        self.close_client_end(link);
                    }
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) -> Checked {
        self.last_link += 1;
        let id = self.last_link;
        let server = match self.servers {
            1 => 0,
            servers => self.rng.below(servers as u64) as usize,
        };
        let mut link = Link::new(at, server);
        let after = self.rng.between(50..1000);
        // The connection is there for the client before the server takes it up.
        link.stalled_until_us = self.now_us + after;
        self.links.insert(id, link);
        self.clients[at].link = Some(id);
        self.at(after, Event::Accept { link: id });
        self.client_handles(at, Input::Connected)
    }

    fn send_up(&mut self, at: usize, bytes: &[u8]) {
        let Some(id) = self.clients[at].link else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let delay_us = link.delay_us(self.now_us);
        let times = link.up.send(&mut self.rng, self.now_us, delay_us, bytes);
        for at_us in times {
            self.when(at_us, Event::ToServer { link: id });
        }
    }

    /// The client closes its end: what it sent still arrives.
    pub(super) fn close_client_end(&mut self, id: u64) {
        if let Some(link) = self.links.get_mut(&id)
            && let Some(at_us) = link.up.end(&mut self.rng, self.now_us, 0)
        {
            self.when(at_us, Event::ToServer { link: id });
        }
    }

    /// Nobody listens at the client's end any more.
    pub(super) fn forget_link(&mut self, id: u64) {
        self.close_client_end(id);
        self.links
            .retain(|known, link| *known != id || link.connection.is_some());
    }
}
