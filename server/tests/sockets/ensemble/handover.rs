//! SIGTERM to a leader under load: its successor has everything, and no session is lost.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::common::{Client, Ensemble, Wire, set};

/// Stops of leaders, one after the other.
const STOPS: usize = 3;

/// What a writer did.
struct Written {
    /// The last number that was acknowledged.
    acknowledged: u64,
    /// How often it went on with its session on another connection.
    moves: u64,
}

/// Sets numbers in its ephemeral node until `stop`, on whatever server takes it, in one session.
fn write(addresses: &[SocketAddr], first: usize, path: &str, stop: &AtomicBool) -> Written {
    let mut at = first;
    let mut client = Client::connect(addresses[at]);
    client.created(path, 1);
    let (mut number, mut written) = (
        0_u64,
        Written {
            acknowledged: 0,
            moves: 0,
        },
    );
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        client.send(jute::OpCode::SetData, &set(path, &number.to_be_bytes(), -1));
        match client.reply() {
            Some(reply) => {
                assert_eq!(reply.err, 0, "{path} is gone with its session");
                written.acknowledged = number;
            }
            None => {
                at = go_on(addresses, at, &mut client);
                written.moves += 1;
            }
        }
    }
    let stat = client.stat(path);
    assert_eq!(stat.ephemeral_owner, client.session);
    let data = client.data(path).expect("data");
    let kept = u64::from_be_bytes(data.try_into().expect("8 bytes"));
    assert!(written.acknowledged <= kept && kept <= number, "{kept}");
    written
}

/// The writers end with the test, also if it fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Finds the next server that takes the session on.
fn go_on(addresses: &[SocketAddr], mut at: usize, client: &mut Client) -> usize {
    loop {
        at = (at + 1) % addresses.len();
        let wire = TcpStream::connect(addresses[at]).ok().map(Wire::over);
        match wire.and_then(|wire| Client::try_open(wire, &client.renewal())) {
            Some(Some(renewed)) => {
                assert_eq!(renewed.session, client.session);
                *client = renewed;
                return at;
            }
            Some(None) => panic!("the session is lost"),
            // It is down, or has no leader either.
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn a_leader_that_is_told_to_stop_leaves_nothing_and_nobody_behind() {
    let mut ensemble = Ensemble::started(3, "");
    let addresses: Vec<_> = (1..=3).map(|id| ensemble.client_address(id)).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stops = Stops(&stop);
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let (addresses, stop) = (&addresses, &stop);
                let path = format!("/w{writer}");
                scope.spawn(move || write(addresses, writer % 3, &path, stop))
            })
            .collect();
        let mut observer = ensemble.client(1);
        ensemble.wait_for("writers", |_| {
            (observer.children("/", false).len() == 7).then_some(())
        });
        observer.close();
        for _ in 0..STOPS {
            let leader = ensemble.leader();
            assert_eq!(ensemble.stop(leader, Signal::TERM).code(), Some(0));
            ensemble.leader();
            ensemble.start(leader);
            ensemble.wait_until_serving(leader);
            // What it had was all committed, and its successor had it too.
            let lost = ensemble.logged(leader, "Truncating log to get in sync");
            assert_eq!(lost, [""; 0]);
        }
        stop.store(true, Ordering::Relaxed);
        let written: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect();
        for written in &written {
            assert!(written.acknowledged > 0);
        }
        let moves: u64 = written.iter().map(|written| written.moves).sum();
        assert!(
            moves >= STOPS as u64,
            "the clients of those that left went elsewhere: {moves}"
        );
        assert!(
            moves <= (STOPS * 2 * 3) as u64,
            "the clients of those that stayed are still there: {moves}"
        );
        for id in 1..=3 {
            let expired = ensemble.logged(id, "xpiring session");
            assert_eq!(expired, [""; 0]);
        }
    });
}
