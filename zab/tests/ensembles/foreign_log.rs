//! A log that is no history of this ensemble's, as a copied or patched directory may hold.

use bytes::Bytes;
use jute::Zxid;
use zab::{Entry, Epoch, Options, RoleStatus, ServerId, Standing};

use crate::ensemble::Ensemble;

fn settle(ensemble: &mut Ensemble) {
    while let Some(event) = ensemble.events().into_iter().next() {
        ensemble.run(event);
    }
}

/// The leader has it truncated to an entry that it never had: it gets a whole tree instead.
#[test]
fn a_truncation_that_misses() {
    let mut ensemble = Ensemble::new(3, 0, &Options::default());
    let [one, two, three] = [1, 2, 3].map(ServerId);
    ensemble.start(one);
    ensemble.start(two);
    settle(&mut ensemble);
    ensemble.advance(ensemble.now.after_ms(200));
    settle(&mut ensemble);
    let leader = ensemble.leader().expect("a leader");
    for _ in 0..2 {
        ensemble.propose(leader).expect("a leader");
    }
    settle(&mut ensemble);

    let disk = &mut ensemble.servers.get_mut(&three).expect("a server").disk;
    let foreign = Entry {
        zxid: Zxid(0x2_0000_0001),
        bytes: Bytes::from_static(b"foreign"),
        config: None,
    };
    for image in [&mut disk.durable, &mut disk.visible] {
        image.history = vec![foreign.clone()];
        image.accepted = Epoch(1);
    }
    ensemble.start(three);
    settle(&mut ensemble);
    ensemble.advance(ensemble.now.after_ms(1000));
    settle(&mut ensemble);

    let told = ensemble.trace.join("\n");
    assert!(told.contains("TRUNC 1:2"), "{told}");
    assert!(told.contains("the log has no 100000002"), "{told}");
    assert!(told.contains("SNAP 1:2"), "{told}");
    let server = &ensemble.servers[&three];
    let peer = server.peer.as_ref().expect("it is up");
    assert!(
        matches!(peer.status(), RoleStatus::Following { .. }),
        "{told}"
    );
    assert_eq!(peer.standing(), Standing::Sound);
    assert_eq!(server.disk.durable.history, ensemble.checker.delivered);
    assert_eq!(server.tree, ensemble.checker.delivered);
}
