//! Real members of an ensemble, each a process, and a learner that says what a test wants.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jute::quorum::packet::{PacketType, QuorumPacket, first};
use jute::quorum::{LearnerInfo, ServerId};
use jute::wire::{Encode, Limits};
use reserved_port::ReservedPort;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::process::{BINARY, spawn_logged, wait};
use super::{Client, bytes};

/// So long an election, a synchronisation or a line in a log may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// The place of a server: its ports, its directory, its process if there is one.
pub(crate) struct Seat {
    pub(crate) id: i64,
    quorum: ReservedPort,
    election: ReservedPort,
    client: ReservedPort,
    dir: TempDir,
    child: Option<Child>,
}

/// Members on one machine. Their processes are killed when it is dropped.
pub(crate) struct Ensemble {
    seats: Vec<Seat>,
    /// The `server.N` lines of all.
    servers: String,
    /// Further lines of every `zoo.cfg`.
    lines: String,
}

impl Ensemble {
    /// So many servers, numbered from 1, with these lines added to a plain `zoo.cfg`. None is
    /// started.
    pub(crate) fn new(servers: i64, lines: &str) -> Self {
        let seats: Vec<_> = (1..=servers).map(Seat::new).collect();
        let servers = seats.iter().map(|seat| seat.line() + "\n").collect();
        Self {
            seats,
            servers,
            lines: lines.to_owned(),
        }
    }

    /// As [`Ensemble::new`], and all are started and serve.
    pub(crate) fn started(servers: i64, lines: &str) -> Self {
        let mut ensemble = Self::new(servers, lines);
        for id in 1..=servers {
            ensemble.start(id);
        }
        for id in 1..=servers {
            ensemble.wait_until_serving(id);
        }
        ensemble
    }

    /// Replaces the `server.N` lines that are written from now on.
    pub(crate) fn set_servers(&mut self, servers: &str) {
        servers.clone_into(&mut self.servers);
    }

    /// Replaces the further lines that are written from now on.
    pub(crate) fn set_lines(&mut self, lines: &str) {
        lines.clone_into(&mut self.lines);
    }

    fn seat(&self, id: i64) -> &Seat {
        let mut seats = self.seats.iter();
        seats.find(|seat| seat.id == id).expect("a seat")
    }

    fn seat_mut(&mut self, id: i64) -> &mut Seat {
        let mut seats = self.seats.iter_mut();
        seats.find(|seat| seat.id == id).expect("a seat")
    }

    /// Its line, `server.N=` in front.
    pub(crate) fn line(&self, id: i64) -> String {
        self.seat(id).line()
    }

    pub(crate) fn client_address(&self, id: i64) -> SocketAddr {
        self.seat(id).client.address()
    }

    pub(crate) fn quorum_address(&self, id: i64) -> SocketAddr {
        self.seat(id).quorum.address()
    }

    pub(crate) fn election_address(&self, id: i64) -> SocketAddr {
        self.seat(id).election.address()
    }

    /// Where its `zoo.cfg` and its `data` are.
    pub(crate) fn dir(&self, id: i64) -> &Path {
        self.seat(id).dir.path()
    }

    /// `data/version-2`.
    pub(crate) fn data(&self, id: i64) -> PathBuf {
        self.dir(id).join("data/version-2")
    }

    /// Writes the files of a server. Without this its first start does.
    pub(crate) fn configure(&self, id: i64) {
        let seat = self.seat(id);
        let data = seat.dir.path().join("data");
        fs::create_dir_all(&data).expect("a directory");
        fs::write(data.join("myid"), format!("{id}\n")).expect("a file");
        let text = format!(
            "tickTime=500\ninitLimit=20\nsyncLimit=5\ndataDir={}\nclientPort={}\n\
             clientPortAddress=127.0.0.1\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n{}{}\n",
            data.display(),
            seat.client.address().port(),
            self.servers,
            self.lines,
        );
        fs::write(seat.dir.path().join("zoo.cfg"), text).expect("a file");
    }

    /// Starts a server; its files are written if they are not there.
    pub(crate) fn start(&mut self, id: i64) {
        self.start_by(id, Command::new(BINARY));
    }

    /// Starts a server by a command that ends in our binary.
    pub(crate) fn start_by(&mut self, id: i64, mut command: Command) {
        if !self.dir(id).join("zoo.cfg").exists() {
            self.configure(id);
        }
        let seat = self.seat_mut(id);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(seat.dir.path().join("log.txt"))
            .expect("a log file");
        command.arg("server").arg(seat.dir.path().join("zoo.cfg"));
        let child = spawn_logged(command, "", log);
        assert!(seat.child.replace(child).is_none(), "it runs already");
    }

    /// What a server has logged, in all its lives.
    pub(crate) fn log(&self, id: i64) -> String {
        fs::read_to_string(self.dir(id).join("log.txt")).unwrap_or_default()
    }

    /// The lines of its log that contain `part`.
    pub(crate) fn logged(&self, id: i64, part: &str) -> Vec<String> {
        let log = self.log(id);
        let lines = log.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }

    /// Waits for what must come.
    pub(crate) fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "no {what}");
            sleep(POLL);
        }
    }

    /// Waits for a line of its log that contains `part`; the last one.
    pub(crate) fn wait_logged(&self, id: i64, part: &str) -> String {
        self.wait_for(&format!("'{part}' in the log of {id}"), |ensemble| {
            ensemble.logged(id, part).pop()
        })
    }

    /// The answer to a word; none if the server does not answer.
    pub(crate) fn word(&self, id: i64, word: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.client_address(id)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(word.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// What `srvr` says of it: `leader`, `follower`, `observer`.
    pub(crate) fn mode(&self, id: i64) -> Option<String> {
        self.srvr(id, "Mode: ")
    }

    /// The last zxid of its state, in hexadecimal.
    pub(crate) fn zxid(&self, id: i64) -> Option<String> {
        self.srvr(id, "Zxid: ")
    }

    fn srvr(&self, id: i64, key: &str) -> Option<String> {
        let text = self.word(id, "srvr")?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.to_owned())
    }

    pub(crate) fn wait_until_serving(&self, id: i64) -> String {
        self.wait_for(&format!("service of server {id}"), |ensemble| {
            ensemble.mode(id)
        })
    }

    /// The server that leads, and says so.
    pub(crate) fn leader(&self) -> i64 {
        self.wait_for("leader", |ensemble| {
            let mut ids = ensemble.seats.iter().map(|seat| seat.id);
            ids.find(|id| {
                ensemble.is_running(*id) && ensemble.mode(*id).as_deref() == Some("leader")
            })
        })
    }

    /// A server that follows, the first one.
    pub(crate) fn follower(&self) -> i64 {
        self.wait_for("follower", |ensemble| {
            let mut ids = ensemble.seats.iter().map(|seat| seat.id);
            ids.find(|id| {
                ensemble.is_running(*id) && ensemble.mode(*id).as_deref() == Some("follower")
            })
        })
    }

    fn is_running(&self, id: i64) -> bool {
        self.seat(id).child.is_some()
    }

    pub(crate) fn pid(&self, id: i64) -> u32 {
        self.seat(id).child.as_ref().expect("it runs").id()
    }

    /// A client of this server, which must serve.
    pub(crate) fn client(&self, id: i64) -> Client {
        self.wait_until_serving(id);
        Client::connect(self.client_address(id))
    }

    /// A write through this server is answered.
    pub(crate) fn assert_goes_on(&self, id: i64) {
        let mut client = self.client(id);
        client.created("/goes-on-", 2);
        client.close();
    }

    pub(crate) fn signal(&self, id: i64, signal: Signal) {
        let pid = i32::try_from(self.pid(id)).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("the process is there");
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop(&mut self, id: i64, signal: Signal) -> ExitStatus {
        self.signal(id, signal);
        self.ended(id)
    }

    /// Waits until a server has ended by itself.
    pub(crate) fn ended(&mut self, id: i64) -> ExitStatus {
        let mut child = self.seat_mut(id).child.take().expect("it runs");
        wait(&mut child)
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for seat in &mut self.seats {
            if std::thread::panicking() {
                let log = fs::read_to_string(seat.dir.path().join("log.txt"));
                eprintln!("server {} logged:\n{}", seat.id, log.unwrap_or_default());
            }
            if let Some(child) = &mut seat.child {
                // It may have ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl Seat {
    fn new(id: i64) -> Self {
        let port = || ReservedPort::reserve().expect("a free port");
        Self {
            id,
            quorum: port(),
            election: port(),
            client: port(),
            dir: TempDir::with_prefix("zabkeeper-test-").expect("a temporary directory"),
            child: None,
        }
    }

    fn line(&self) -> String {
        let [quorum, election] = [&self.quorum, &self.election].map(|port| port.address().port());
        format!("server.{}=127.0.0.1:{quorum}:{election}", self.id)
    }
}

/// A packet as a test looks at it.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) kind: Option<PacketType>,
    pub(crate) zxid: i64,
}

/// The learner's end of a connection to a quorum port.
pub(crate) struct Learner {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

impl Learner {
    pub(crate) fn dial(address: SocketAddr) -> Self {
        Self::dial_from(1, address)
    }

    /// Dials from 127.0.0.`machine`.
    pub(crate) fn dial_from(machine: u8, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let own = SocketAddr::from(([127, 0, 0, machine], 0));
        socket.bind(&own.into()).expect("an address");
        socket.connect(&address.into()).expect("it listens");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self {
            stream,
            input: Vec::new(),
        }
    }

    /// Sends bytes; a server that has closed meanwhile shows when it is read.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            let closed = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(closed.contains(&error.kind()), "cannot send: {error}");
        }
    }

    pub(crate) fn send(&mut self, kind: PacketType, zxid: i64, data: &[u8]) {
        self.write(&bytes(&QuorumPacket {
            kind: kind.as_i32(),
            zxid,
            data: Some(data),
            authinfo: None,
        }));
    }

    /// FOLLOWERINFO or OBSERVERINFO.
    pub(crate) fn introduce(&mut self, kind: PacketType, id: i64, accepted: i64, config: i64) {
        let info = LearnerInfo::new(ServerId(id), config);
        let mut data = Vec::new();
        info.encode(&mut data);
        self.send(kind, accepted << 32, &data);
    }

    /// The next packet; `None` when the other side has closed.
    pub(crate) fn receive(&mut self) -> Option<Packet> {
        loop {
            let found = first(&self.input, Limits::default()).expect("packets");
            if let Some((packet, len)) = found {
                let packet = Packet {
                    kind: PacketType::from_i32(packet.kind),
                    zxid: packet.zxid,
                };
                self.input.drain(..len);
                return Some(packet);
            }
            let mut chunk = [0; 64 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(len) => self.input.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no packet: {error}"),
            }
        }
    }

    /// The next packet of this type, whatever comes before it.
    pub(crate) fn receive_at_last(&mut self, kind: PacketType) -> Packet {
        loop {
            let packet = self.receive().expect("a packet, not a close");
            if packet.kind == Some(kind) {
                return packet;
            }
        }
    }

    /// Waits for the end of the connection; how many bytes came before it.
    pub(crate) fn closed(mut self) -> usize {
        let mut received = self.input.len();
        let mut chunk = [0; 64 << 10];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return received,
                Ok(len) => received += len,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return received,
                Err(error) => panic!("it is not closed: {error}"),
            }
        }
    }

    /// Becomes an up to date observer with an empty history, of an ensemble with a short one.
    pub(crate) fn observe(&mut self, id: i64) {
        self.introduce(PacketType::ObserverInfo, id, 0, 0);
        let invited = self.receive_at_last(PacketType::LeaderInfo);
        self.send(PacketType::AckEpoch, 0, &0_i32.to_be_bytes());
        self.receive_at_last(PacketType::NewLeader);
        self.send(PacketType::Ack, invited.zxid, &[]);
        self.receive_at_last(PacketType::UpToDate);
    }
}
