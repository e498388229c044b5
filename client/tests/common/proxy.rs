use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A relay between clients and a server, whose connections can be cut and held.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    control: Arc<Control>,
}

struct Control {
    server: SocketAddr,
    /// Grows when all connections are to be cut.
    cuts: watch::Sender<u64>,
    /// New connections are refused while false.
    open: AtomicBool,
    /// Bytes from the server stay here while true.
    hold_answers: watch::Sender<bool>,
    /// Bytes from the clients stay here while true.
    hold_requests: watch::Sender<bool>,
    accepted: AtomicUsize,
    /// Pieces of bytes that came from the clients.
    pieces: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let control = Arc::new(Control {
            server,
            cuts: watch::Sender::new(0),
            open: AtomicBool::new(true),
            hold_answers: watch::Sender::new(false),
            hold_requests: watch::Sender::new(false),
            accepted: AtomicUsize::new(0),
            pieces: AtomicUsize::new(0),
        });
        tokio::spawn(accept(listener, Arc::clone(&control)));
        Self { address, control }
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.control.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts all connections, and lets nobody in.
    pub(crate) fn close(&self) {
        self.control.open.store(false, Ordering::SeqCst);
        self.cut();
    }

    /// Lets clients in again.
    pub(crate) fn open(&self) {
        self.control.open.store(true, Ordering::SeqCst);
    }

    /// Keeps what the server answers, or gives it on.
    pub(crate) fn hold_answers(&self, hold: bool) {
        self.control.hold_answers.send_replace(hold);
    }

    /// Keeps what the clients send, or gives it on.
    pub(crate) fn hold_requests(&self, hold: bool) {
        self.control.hold_requests.send_replace(hold);
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.control.accepted.load(Ordering::SeqCst)
    }

    /// Reads from clients so far that brought something.
    pub(crate) fn pieces(&self) -> usize {
        self.control.pieces.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, control: Arc<Control>) {
    while let Ok((near, _)) = listener.accept().await {
        if !control.open.load(Ordering::SeqCst) {
            continue;
        }
        let Ok(far) = TcpStream::connect(control.server).await else {
            continue;
        };
        control.accepted.fetch_add(1, Ordering::SeqCst);
        near.set_nodelay(true).expect("a live socket");
        far.set_nodelay(true).expect("a live socket");
        tokio::spawn(relay(near, far, Arc::clone(&control)));
    }
}

async fn relay(near: TcpStream, far: TcpStream, control: Arc<Control>) {
    let mut cuts = control.cuts.subscribe();
    cuts.mark_unchanged();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let requests = pump(near_in, far_out, control.hold_requests.subscribe(), || {
        control.pieces.fetch_add(1, Ordering::SeqCst);
    });
    let answers = pump(far_in, near_out, control.hold_answers.subscribe(), || {});
    tokio::select! {
        _ = cuts.changed() => {}
        () = requests => {}
        () = answers => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut hold: watch::Receiver<bool>,
    note: impl Fn(),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        note();
        if hold.wait_for(|hold| !hold).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
