//! Two listeners for each ordered pair of members: what `from` dials to reach `to`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::ensemble::config::Address;

/// Bytes passed on at once, and the most that a direction holds outside the system's buffers.
const CHUNK: usize = 64 << 10;
/// A member that does not listen yet is dialled again for so long: a refusal reaches the dialler
/// as a closed connection, which says more than "not yet".
const REDIAL: Duration = Duration::from_secs(1);
/// Pause between two attempts.
const REDIAL_PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for the first message of an election connection.
const INITIAL_LIMIT: Duration = Duration::from_secs(10);
/// Longest address in that message.
const ADDRESS_LIMIT: usize = 2048;

type Pair = (u64, u64);

/// All proxies of one ensemble; they end with it.
#[derive(Debug)]
pub(super) struct Proxies {
    ports: BTreeMap<Pair, (u16, u16)>,
    valve: Arc<Valve>,
}

/// Who may send to whom, and which connections there are.
#[derive(Debug, Default)]
struct Valve {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing passes from the first to the second.
    cut: BTreeSet<Pair>,
    /// Connections by number: the members, and both sockets.
    open: BTreeMap<u64, (Pair, TcpStream, TcpStream)>,
    next: u64,
    /// The ensemble is gone.
    over: bool,
}

impl State {
    fn severed(&self, (one, other): Pair) -> bool {
        self.cut.contains(&(one, other)) || self.cut.contains(&(other, one))
    }
}

impl Valve {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is reported there; the set of cuts is whole after each statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `blocked` is over; false when the ensemble is.
    fn wait_while(&self, blocked: impl Fn(&State) -> bool) -> bool {
        let state = self
            .changed
            .wait_while(self.state(), |state| !state.over && blocked(state));
        !state.unwrap_or_else(PoisonError::into_inner).over
    }
}

/// One listener: who dials it, whom it stands for.
#[derive(Debug, Clone)]
struct Route {
    pair: Pair,
    target: SocketAddr,
    /// On election ports: what the dialler's own address is replaced by, so that the answering
    /// connection goes through a proxy too.
    announce: Option<String>,
}

impl Proxies {
    /// Starts a proxy for each ordered pair; `own` holds the real addresses, in the order of `ids`.
    pub(super) fn new(ids: &[u64], own: &[Address]) -> Result<Self> {
        let valve = Arc::new(Valve::default());
        let (mut ports, mut listeners) = (BTreeMap::new(), Vec::new());
        for &from in ids {
            for (&to, address) in ids.iter().zip(own) {
                if from == to {
                    continue;
                }
                let (quorum, quorum_port) = listen()?;
                let (election, election_port) = listen()?;
                ports.insert((from, to), (quorum_port, election_port));
                listeners.push((from, to, address.quorum, quorum, false));
                listeners.push((from, to, address.election, election, true));
            }
        }
        for (from, to, port, listener, election) in listeners {
            let back = ports[&(to, from)].1;
            let route = Route {
                pair: (from, to),
                target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                announce: election.then(|| format!("127.0.0.1:{back}")),
            };
            let valve = Arc::clone(&valve);
            thread::spawn(move || accept(&listener, &route, &valve));
        }
        Ok(Self { ports, valve })
    }

    /// Quorum and election port of `to` as `from` sees them.
    pub(super) fn ports(&self, from: u64, to: u64) -> (u16, u16) {
        self.ports[&(from, to)]
    }

    pub(super) fn cut(&self, from: u64, to: u64) {
        self.valve.state().cut.insert((from, to));
    }

    pub(super) fn heal(&self) {
        self.valve.state().cut.clear();
        self.valve.changed.notify_all();
    }

    pub(super) fn discard_and_heal(&self) {
        let mut state = self.valve.state();
        for (pair, near, far) in state.open.values() {
            if state.severed(*pair) {
                close(near);
                close(far);
            }
        }
        state.cut.clear();
        drop(state);
        self.valve.changed.notify_all();
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        let mut state = self.valve.state();
        state.over = true;
        for (_, near, far) in state.open.values() {
            close(near);
            close(far);
        }
        drop(state);
        self.valve.changed.notify_all();
        // A listener wakes up by being dialled, and then sees that it is over.
        for &(quorum, election) in self.ports.values() {
            for port in [quorum, election] {
                drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
            }
        }
    }
}

fn listen() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a proxy's port")?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn close(stream: &TcpStream) {
    // It may be closed already, and then it is what is wanted.
    let _ = stream.shutdown(Shutdown::Both);
}

fn accept(listener: &TcpListener, route: &Route, valve: &Arc<Valve>) {
    while let Ok((near, _)) = listener.accept() {
        if valve.state().over {
            return;
        }
        let (route, valve) = (route.clone(), Arc::clone(valve));
        thread::spawn(move || {
            // A connection that fails is closed on both sides, which is what its ends see.
            let _ = carry(near, &route, &valve);
        });
    }
}

/// Connects the other side and passes bytes both ways until either side ends.
fn carry(mut near: TcpStream, route: &Route, valve: &Arc<Valve>) -> Result<()> {
    near.set_nodelay(true)?;
    let (from, to) = route.pair;
    if !valve.wait_while(|state| state.severed(route.pair)) {
        return Ok(());
    }
    let mut far = dial(route.target)?;
    far.set_nodelay(true)?;
    let number = {
        let mut state = valve.state();
        state.next += 1;
        let number = state.next;
        let both = (route.pair, near.try_clone()?, far.try_clone()?);
        state.open.insert(number, both);
        number
    };
    let (back_in, back_out) = (far.try_clone()?, near.try_clone()?);
    let valve_back = Arc::clone(valve);
    let back = thread::spawn(move || pump(back_in, back_out, (to, from), &valve_back));
    if let Some(announce) = &route.announce
        && rewrite_initial(&mut near, &mut far, announce).is_err()
    {
        close(&near);
        close(&far);
    }
    pump(near, far, (from, to), valve);
    let _ = back.join();
    valve.state().open.remove(&number);
    Ok(())
}

fn dial(target: SocketAddr) -> Result<TcpStream> {
    let deadline = Instant::now() + REDIAL;
    loop {
        match TcpStream::connect(target) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => thread::sleep(REDIAL_PAUSE),
        }
    }
}

/// Passes on the first message of an election connection with another address in it.
fn rewrite_initial(near: &mut TcpStream, far: &mut TcpStream, announce: &str) -> Result<()> {
    near.set_read_timeout(Some(INITIAL_LIMIT))?;
    let mut head = [0; 20];
    near.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[16], head[17], head[18], head[19]]);
    let length = usize::try_from(length)?;
    anyhow::ensure!(length <= ADDRESS_LIMIT, "an address of {length} bytes");
    near.read_exact(&mut vec![0; length])?;
    near.set_read_timeout(None)?;
    far.write_all(&replaced(&head, announce))?;
    Ok(())
}

/// The message that begins with `head`, with `announce` for its address.
fn replaced(head: &[u8; 20], announce: &str) -> Vec<u8> {
    let mut message = head[..16].to_vec();
    let length = u32::try_from(announce.len()).expect("an address is short");
    message.extend(length.to_be_bytes());
    message.extend(announce.as_bytes());
    message
}

/// Passes bytes of one direction on, and its end; holds both back while the pair is cut.
fn pump(mut source: TcpStream, mut target: TcpStream, pair: Pair, valve: &Valve) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = source.read(&mut chunk).unwrap_or(0);
        if !valve.wait_while(|state| state.cut.contains(&pair)) {
            break;
        }
        if count == 0 || target.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    // Servers never half-close: one direction's end is the connection's.
    close(&source);
    close(&target);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(listener: &TcpListener) -> Address {
        Address {
            host: "127.0.0.1".to_owned(),
            quorum: listener.local_addr().expect("address").port(),
            election: listener.local_addr().expect("address").port(),
            client: 0,
        }
    }

    fn receive(stream: &mut TcpStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    #[test]
    fn a_cut_holds_one_direction_and_healing_lets_it_go() {
        let server = TcpListener::bind("127.0.0.1:0").expect("port");
        let own = [address(&server), address(&server)];
        let proxies = Proxies::new(&[1, 2], &own).expect("proxies");
        let (quorum, _) = proxies.ports(1, 2);
        let mut near = TcpStream::connect(("127.0.0.1", quorum)).expect("connects");
        let (mut far, _) = server.accept().expect("connection");
        near.write_all(b"a").expect("sent");
        assert_eq!(receive(&mut far, 1), b"a");
        proxies.cut(1, 2);
        near.write_all(b"b").expect("sent");
        far.write_all(b"c").expect("sent");
        assert_eq!(receive(&mut near, 1), b"c", "the other direction is open");
        far.set_nonblocking(true).expect("mode");
        assert!(far.read(&mut [0]).is_err(), "held back");
        far.set_nonblocking(false).expect("mode");
        proxies.heal();
        assert_eq!(receive(&mut far, 1), b"b");
    }

    #[test]
    fn what_is_discarded_never_arrives() {
        let server = TcpListener::bind("127.0.0.1:0").expect("port");
        let own = [address(&server), address(&server)];
        let proxies = Proxies::new(&[1, 2], &own).expect("proxies");
        let (quorum, _) = proxies.ports(2, 1);
        let mut near = TcpStream::connect(("127.0.0.1", quorum)).expect("connects");
        let (mut far, _) = server.accept().expect("connection");
        near.write_all(b"a").expect("sent");
        assert_eq!(receive(&mut far, 1), b"a");
        proxies.cut(1, 2);
        far.write_all(b"held").expect("sent");
        proxies.discard_and_heal();
        assert_eq!(near.read(&mut [0; 4]).unwrap_or(0), 0, "closed, not sent");
    }

    #[test]
    fn the_announced_address_is_that_of_a_proxy() {
        let server = TcpListener::bind("127.0.0.1:0").expect("port");
        let own = [address(&server), address(&server)];
        let proxies = Proxies::new(&[1, 2], &own).expect("proxies");
        let (_, election) = proxies.ports(1, 2);
        let mut near = TcpStream::connect(("127.0.0.1", election)).expect("connects");
        let mut message = (-65_536_i64).to_be_bytes().to_vec();
        message.extend(1_i64.to_be_bytes());
        message.extend(6_u32.to_be_bytes());
        message.extend(b"host:1rest");
        near.write_all(&message).expect("sent");
        let (mut far, _) = server.accept().expect("connection");
        let back = format!("127.0.0.1:{}", proxies.ports(2, 1).1);
        let mut expected = message[..16].to_vec();
        expected.extend(u32::try_from(back.len()).expect("short").to_be_bytes());
        expected.extend(back.as_bytes());
        expected.extend(b"rest");
        assert_eq!(receive(&mut far, expected.len()), expected);
    }
}
