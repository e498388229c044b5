//! Who may connect to a follower that serves observers.

use jute::Zxid;
use jute::quorum::config::Role;
use zab::{
    Effect, Effects, Epoch, Input, Io, LeaderPacket, LearnerLink, LearnerPacket, Options, ServerId,
};

use crate::ensemble::Ensemble;

/// What one server does, without the others.
fn take(ensemble: &mut Ensemble, id: ServerId, input: Input) -> Vec<Effect> {
    let now = ensemble.now;
    let server = ensemble.servers.get_mut(&id).expect("a server");
    let mut effects = Effects::default();
    let peer = server.peer.as_mut().expect("it is up");
    peer.handle(now, input, &mut effects);
    effects.drain().collect()
}

fn settle(ensemble: &mut Ensemble) {
    while let Some(event) = ensemble.events().into_iter().next() {
        ensemble.run(event);
    }
}

fn info(role: Role) -> LearnerPacket {
    LearnerPacket::Info {
        role,
        server: ServerId(7),
        accepted_epoch: Epoch(0),
        config_version: Zxid(0),
    }
}

/// Whether it is dropped, or told the epoch; nothing at all if it has to wait.
fn answer(effects: &[Effect], link: LearnerLink) -> Option<bool> {
    effects.iter().find_map(|effect| match effect {
        Effect::Io(Io::DropLearner(of, _)) if *of == link => Some(false),
        Effect::Io(Io::ToLearner(of, LeaderPacket::LeaderInfo { .. })) if *of == link => Some(true),
        _ => None,
    })
}

#[test]
fn only_observers_and_only_where_they_are_served() {
    for serves in [true, false] {
        let options = Options {
            observer_masters: serves,
            ..Options::default()
        };
        let mut ensemble = Ensemble::new(3, 0, &options);
        for id in ensemble.ids() {
            ensemble.start(id);
            // In an election no one is served, and no one waits for its end.
            let link = LearnerLink(90);
            let effects = take(&mut ensemble, id, Input::ObserverConnected(link));
            assert_eq!(answer(&effects, link), Some(false), "{id} looks");
        }
        settle(&mut ensemble);
        let leader = ensemble.leader().expect("a leader");
        for id in ensemble.ids() {
            let leads = id == leader;
            for (number, role, served) in [
                (91, Role::Observer, leads || serves),
                // Followers belong to the leader.
                (92, Role::Participant, leads),
            ] {
                let link = LearnerLink(number);
                let mut effects = take(&mut ensemble, id, Input::ObserverConnected(link));
                let packet = Input::FromLearner(link, info(role));
                effects.extend(take(&mut ensemble, id, packet));
                let found = answer(&effects, link);
                assert_eq!(found, Some(served), "{id} leads {leads} serves {serves}");
            }
        }
    }
}
