//! Where it listens, and where it does not come to that.

use std::net::{TcpListener, TcpStream};

use jute::quorum::{Endpoint, QuorumConfig, ServerId};
use reserved_port::ReservedPort;
use tokio_util::sync::CancellationToken;

use super::logged::Logged;
use super::node::{Node, Seat, members, message, options, seats, within};
use super::raw::{RawLink, RawServer};
use crate::peer::election::{ElectionEvent, ElectionLinks, ElectionOptions, ListenError, Members};

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port,
    }
}

async fn start(
    own: Vec<Endpoint>,
    options: ElectionOptions,
    stop: &CancellationToken,
) -> Result<ElectionLinks, ListenError> {
    let me = ServerId(1);
    let sink = |_: ElectionEvent| {};
    ElectionLinks::start(me, own, Members::default(), options, sink, stop).await
}

#[tokio::test]
async fn a_port_that_is_taken_is_tried_as_often_as_told() {
    let logged = Logged::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let options = ElectionOptions {
        election_port_bind_retry: 2,
        ..options()
    };
    let stop = CancellationToken::new();
    let started = start(vec![endpoint("127.0.0.1", port)], options.clone(), &stop);
    let error = within(started).await.expect_err("the port is taken");
    let text = format!("cannot listen on 127.0.0.1:{port} (election port): ");
    assert!(error.to_string().starts_with(&text), "{error}");
    assert_eq!(logged.complaints("trying again").len(), 1);
    // It becomes free in time.
    let started = start(vec![endpoint("127.0.0.1", port)], options, &stop);
    let freed = async {
        while logged.complaints("trying again").len() < 2 {
            tokio::time::sleep(super::node::POLL).await;
        }
        drop(taken);
    };
    let (started, ()) = within(async { tokio::join!(started, freed) }).await;
    let links = started.expect("the port is free");
    stop.cancel();
    within(links.stopped()).await;
}

#[tokio::test]
async fn trying_for_ever_ends_with_the_stop() {
    let logged = Logged::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = endpoint("127.0.0.1", taken.local_addr().expect("bound").port());
    let options = ElectionOptions {
        election_port_bind_retry: 0,
        ..options()
    };
    let stop = CancellationToken::new();
    let stopped = async {
        logged.wait("trying again").await;
        stop.cancel();
    };
    let started = start(vec![own], options, &stop);
    let (started, ()) = within(async { tokio::join!(started, stopped) }).await;
    assert!(matches!(started, Err(ListenError::Stopped)));
}

/// 127.0.0.2 is another address of the same machine.
#[tokio::test]
async fn it_listens_on_its_address_or_on_all() {
    for (all, elsewhere) in [(false, false), (true, true)] {
        let seat = Seat::new(1);
        let port = seat.port.address().port();
        let options = ElectionOptions {
            quorum_listen_on_all_ips: all,
            ..options()
        };
        let stop = CancellationToken::new();
        // A reserved port is reserved on one address; all include it.
        let links = start(vec![seat.endpoint()], options, &stop);
        let links = within(links).await.expect("it listens");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        assert_eq!(TcpStream::connect(("127.0.0.2", port)).is_ok(), elsewhere);
        stop.cancel();
        within(links.stopped()).await;
    }
}

#[tokio::test]
async fn it_listens_on_several_addresses_and_is_found_at_any() {
    let [first, second] = [(); 2].map(|()| ReservedPort::reserve().expect("a port"));
    let ports = [first.address().port(), second.address().port()];
    let own = ports.map(|port| endpoint("127.0.0.1", port)).to_vec();
    let stop = CancellationToken::new();
    let options = ElectionOptions {
        multi_address: true,
        ..options()
    };
    let links = within(start(own, options.clone(), &stop))
        .await
        .expect("it listens");
    // A larger server that has a dead address in its configuration first.
    let dead = ReservedPort::reserve().expect("a port");
    let config = QuorumConfig::parse(&format!(
        "server.1=127.0.0.1:1:{}|127.0.0.1:2:{}\nversion=0",
        dead.address().port(),
        ports[1]
    ));
    let logged = Logged::start();
    let large = ElectionLinks::start(
        ServerId(2),
        vec![Seat::new(2).endpoint()],
        Members::new(&config.expect("a configuration"), None),
        options,
        |_| {},
        &stop,
    );
    let large = within(large).await.expect("it listens");
    large.notify(ServerId(1), &message(1));
    logged
        .wait(&format!(
            "connected with server 1 at 127.0.0.1:{}",
            ports[1]
        ))
        .await;
    stop.cancel();
    within(links.stopped()).await;
    within(large.stopped()).await;
}

#[tokio::test]
async fn addresses_of_the_sixth_kind() {
    let probe = TcpListener::bind("[::1]:0");
    let own = match &probe {
        Ok(probe) => vec![endpoint("::1", probe.local_addr().expect("bound").port())],
        Err(_) => vec![endpoint("::1", 3888)],
    };
    let has_v6 = probe.is_ok();
    drop(probe);
    let stop = CancellationToken::new();
    let links = within(start(own.clone(), options(), &stop)).await;
    assert_eq!(links.is_ok(), has_v6, "{links:?}");
    if let Ok(links) = links {
        let line = format!("server.1=[::1]:1:{}\nversion=0", own[0].port);
        let config = QuorumConfig::parse(&line).expect("a configuration");
        let logged = Logged::start();
        let peer = Seat::new(2);
        let large = ElectionLinks::start(
            ServerId(2),
            vec![peer.endpoint()],
            Members::new(&config, None),
            options(),
            |_| {},
            &stop,
        );
        let large = within(large).await.expect("it listens");
        large.notify(ServerId(1), &message(1));
        logged.wait("connected with server 1 at [::1]").await;
        stop.cancel();
        within(large.stopped()).await;
        within(links.stopped()).await;
    }
}

/// As after a reconfiguration: who dials the new place is heard, the old one is closed, what is
/// connected stays, and peers are told the new place.
#[tokio::test]
async fn it_moves_and_stays_connected() {
    let [small, old, new] = seats([1, 3, 3]);
    let peer = RawServer::listen(&small);
    let mut node = Node::start(&old, members([&small, &old]), options()).await;
    node.notify(1, 10);
    let mut link = peer.accept(&old).await;
    assert_eq!(link.received().await, 10);
    within(node.links.move_to(&[new.endpoint()]))
        .await
        .expect("the port is free");
    assert!(TcpStream::connect(old.port.address()).is_err());
    link.send(5).await;
    assert_eq!(node.received().await, (1, 5));
    // It calls back from its new place.
    RawLink::dial_as(&small, &new).await.closed().await;
    assert_eq!(peer.accept(&new).await.received().await, 10);
    // Back, where the port is taken at first.
    let taken = TcpListener::bind(old.port.address()).expect("it is free");
    let moved = within(node.links.move_to(&[old.endpoint()])).await;
    assert!(matches!(moved, Err(ListenError::Bind { .. })), "{moved:?}");
    assert!(TcpStream::connect(new.port.address()).is_ok(), "it stays");
    drop(taken);
    within(node.links.move_to(&[old.endpoint()]))
        .await
        .expect("the port is free");
    assert!(TcpStream::connect(new.port.address()).is_err());
    node.end().await;
}
