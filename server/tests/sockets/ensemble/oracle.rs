//! Two servers and an oracle.

use std::fs;

use rustix::process::Signal;

use crate::common::{Client, Ensemble};

#[test]
fn one_of_two_goes_on_alone_if_the_oracle_says_so() {
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let says = |id: i64| dir.path().join(format!("oracle-{id}"));
    let mut ensemble = Ensemble::new(2, "");
    for id in [1, 2] {
        fs::write(says(id), "0").expect("a file");
        ensemble.set_lines(&format!("oraclePath={}", says(id).display()));
        ensemble.configure(id);
        ensemble.start(id);
    }
    let leader = ensemble.leader();
    let follower = 3 - leader;
    ensemble.assert_goes_on(follower);
    // Without its word the one that is left serves nobody.
    ensemble.stop(leader, Signal::KILL);
    ensemble.wait_logged(follower, "LOOKING");
    ensemble.wait_for("end of service", |ensemble| {
        ensemble.mode(follower).is_none().then_some(())
    });
    fs::write(says(follower), "1").expect("a file");
    ensemble.wait_until_serving(follower);
    let mut client = Client::connect(ensemble.client_address(follower));
    client.created("/alone", 0);
    client.close();
    // The other one comes back and follows.
    ensemble.start(leader);
    ensemble.wait_until_serving(leader);
    let mut client = Client::connect(ensemble.client_address(leader));
    assert_eq!(client.exists("/alone", false).err, 0);
    client.close();
    // What cannot be read says no.
    fs::remove_file(says(follower)).expect("it was there");
    ensemble.wait_logged(follower, "says no: ");
    ensemble.stop(leader, Signal::KILL);
    ensemble.wait_for("end of service", |ensemble| {
        ensemble.mode(follower).is_none().then_some(())
    });
}
