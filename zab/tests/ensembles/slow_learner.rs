//! A learner that does not read costs its leader a bounded amount of memory, and gets
//! everything in the end.

use bytes::Bytes;
use zab::{Options, RoleStatus, ServerId};

use crate::ensemble::{Down, Ensemble, Event};

/// Bytes of one transaction.
const LARGE: usize = 512 << 10;
/// What a leader may have handed out for one learner at the most: its share, and one packet beyond
/// it.
const ON_THE_WAY_MAX: usize = (4 << 20) + LARGE + 1024;

fn settle(ensemble: &mut Ensemble, slow: Option<ServerId>) {
    loop {
        let events = ensemble.events();
        let reads = |event: &Event| match event {
            Event::Down(number) => Some(ensemble.net.connections[number].learner) != slow,
            _ => true,
        };
        let Some(event) = events.into_iter().find(reads) else {
            return;
        };
        ensemble.run(event);
    }
}

/// Bytes that wait to be read by a learner.
fn on_the_way(ensemble: &Ensemble, learner: ServerId) -> usize {
    let ours = ensemble
        .net
        .connections
        .values()
        .filter(|c| c.learner == learner);
    let packets = ours.flat_map(|connection| connection.down.iter());
    packets
        .map(|down| match down {
            Down::Packet(packet) => packet.cost(),
            Down::Tree(_) | Down::End => 0,
        })
        .sum()
}

#[test]
fn a_slow_learner_is_fed_at_its_own_pace() {
    let options = Options {
        commit_log_count: 4,
        ..Options::default()
    };
    let mut ensemble = Ensemble::new(3, 0, &options);
    for id in ensemble.ids() {
        ensemble.start(id);
    }
    settle(&mut ensemble, None);
    let leader = ensemble.leader().expect("a leader");
    let slow = ServerId(1);
    assert_ne!(leader, slow);

    for n in 0..60 {
        let value = Bytes::from(vec![n; LARGE]);
        ensemble
            .propose_value(leader, value, None)
            .expect("the quorum is fast");
        settle(&mut ensemble, Some(slow));
        let bytes = on_the_way(&ensemble, slow);
        assert!(
            bytes <= ON_THE_WAY_MAX,
            "{bytes} bytes on the way to {slow}"
        );
    }
    // The others went on: everything is committed, and more than memory keeps.
    let end = ensemble.servers[&leader].disk.durable.last();
    assert_eq!(ensemble.servers[&leader].tree.len(), 60);
    assert!(ensemble.servers[&slow].tree.len() < 20);

    // It reads again: from the log on disk, then from memory, without a new synchronisation.
    settle(&mut ensemble, None);
    let tree = &ensemble.servers[&slow].tree;
    assert_eq!(tree.last().map(|entry| entry.zxid), Some(end));
    let status = ensemble.servers[&slow].peer.as_ref().map(zab::Peer::status);
    assert!(
        matches!(status, Some(RoleStatus::Following { .. })),
        "{status:?}"
    );
    assert!(
        ensemble.trace.iter().all(|line| !line.contains("leaves")),
        "it never left"
    );
    assert!(ensemble.checker.violations.is_empty());
}
