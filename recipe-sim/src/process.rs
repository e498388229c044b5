//! A process: tasks that can all be stopped for a while, or for ever, at any moment.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use client::{Environment, Later, Stream};
use parking_lot::Mutex;
use sim::Rng;

use crate::board::Board;
use crate::net::Net;

/// Something with clients in it. Its tasks run as long as it lives, unless it is paused: then
/// timers run out, and bytes arrive, but nobody looks at them.
#[derive(Debug)]
pub(crate) struct Process {
    /// Of all processes that there have ever been.
    pub(crate) number: usize,
    net: Net,
    board: Board,
    state: Mutex<State>,
    rng: Mutex<Rng>,
}

#[derive(Debug, Default)]
struct State {
    is_paused: bool,
    is_dead: bool,
    tasks: u64,
    /// Tasks to be polled when the pause, or all, is over.
    wakers: BTreeMap<u64, Waker>,
}

impl Process {
    pub(crate) fn new(number: usize, net: &Net, board: &Board, rng: Rng) -> Arc<Self> {
        Arc::new(Self {
            number,
            net: net.clone(),
            board: board.clone(),
            state: Mutex::default(),
            rng: Mutex::new(rng),
        })
    }

    pub(crate) fn name(&self) -> String {
        format!("p{}", self.number)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().is_dead
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.lock().is_paused
    }

    pub(crate) fn pause(&self) {
        self.state.lock().is_paused = true;
    }

    pub(crate) fn resume(&self) {
        self.change(|state| state.is_paused = false);
    }

    /// All tasks are dropped, without another turn.
    pub(crate) fn die(&self) {
        self.change(|state| state.is_dead = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }
}

/// A process as the environment of its clients.
#[derive(Clone, Debug)]
pub(crate) struct Home(pub(crate) Arc<Process>);

/// The number of a server, from 0, stands in its address.
fn address(server: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, server))
}

/// What clients connect to.
pub(crate) fn connect_string(servers: usize) -> String {
    let names: Vec<_> = (0..servers).map(|server| format!("s{server}")).collect();
    names.join(",")
}

impl Environment for Home {
    fn resolve(&self, host: &str, port: u16) -> Later<io::Result<Vec<SocketAddr>>> {
        let server = host
            .strip_prefix('s')
            .and_then(|number| number.parse().ok());
        let found = server.map(|server| vec![SocketAddr::new(address(server), port)]);
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }

    fn connect(&self, address: SocketAddr) -> Later<io::Result<Box<dyn Stream>>> {
        let server = match address.ip() {
            IpAddr::V4(ip) => usize::from(ip.octets()[3]),
            IpAddr::V6(_) => usize::MAX,
        };
        let process = Arc::clone(&self.0);
        Box::pin(async move {
            let stream: Box<dyn Stream> = Box::new(process.net.connect(process.number, server));
            Ok(stream)
        })
    }

    fn spawn(&self, task: Later<()>) {
        let mut state = self.0.state.lock();
        state.tasks += 1;
        let number = state.tasks;
        drop(state);
        tokio::spawn(Task {
            process: Arc::clone(&self.0),
            number,
            task: Some(task),
        });
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut rng = self.0.rng.lock();
        for byte in bytes {
            *byte = rng.below(256) as u8;
        }
    }
}

/// A task of a process.
struct Task {
    process: Arc<Process>,
    number: u64,
    task: Option<Later<()>>,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = this.process.state.lock();
        if state.is_dead {
            drop(state);
            this.task = None;
            return Poll::Ready(());
        }
        state.wakers.insert(this.number, context.waker().clone());
        if state.is_paused {
            return Poll::Pending;
        }
        drop(state);
        let Some(task) = &mut this.task else {
            return Poll::Ready(());
        };
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
        let polled = polled.unwrap_or_else(|panic| {
            let text = sim::panic_text(&*panic);
            this.process.board.violate("panic", text.to_owned());
            Poll::Ready(())
        });
        if polled.is_ready() {
            this.process.state.lock().wakers.remove(&this.number);
        }
        polled
    }
}
