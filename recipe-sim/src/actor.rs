//! An application in a process, which plays a recipe with one session after the other.

use std::ops::Deref;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use client::{Builder, Client, Environment};
use recipes::Error;
use sim::Rng;
use tokio::time::Instant;

use crate::board::{Board, Phase};
use crate::process::{Home, Process};
use crate::recipes::AnyTrial;

/// Longest rest between two rounds, milliseconds.
const REST_MS: u64 = 300;

/// Between two tries of what fails though the session lives.
const AGAIN: Duration = Duration::from_millis(50);

/// What a recipe's trial plays with.
pub(crate) struct Actor {
    pub(crate) who: Who,
    pub(crate) client: Client,
    pub(crate) rng: Rng,
}

/// Who an actor is, and where it tells what it does.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) process: Arc<Process>,
    pub(crate) board: Board,
}

impl Deref for Actor {
    type Target = Who;

    fn deref(&self) -> &Who {
        &self.who
    }
}

/// How an application begins.
pub(crate) struct Start {
    pub(crate) process: Arc<Process>,
    pub(crate) board: Board,
    pub(crate) builder: Builder,
    pub(crate) rng: Rng,
    pub(crate) trial: Arc<dyn AnyTrial>,
}

/// Runs an application until its sessions are to be closed.
pub(crate) fn run(start: Start) {
    let home = Home(Arc::clone(&start.process));
    home.clone().spawn(Box::pin(play(start, home)));
}

async fn play(start: Start, home: Home) {
    let Start {
        process,
        board,
        builder,
        rng,
        trial,
    } = start;
    let builder = builder.environment(Arc::new(home));
    let mut rng = Some(rng);
    loop {
        let client = loop {
            if board.phase() >= Phase::Over {
                return gone(&process, &board);
            }
            board.stands(process.number, |standing| {
                standing.doing = "connects".to_owned();
            });
            match builder.connect().await {
                Ok(client) => break client,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        };
        board.tell(|| format!("{}: session {:x}", process.name(), client.session_id()));
        let mut actor = Actor {
            who: Who {
                process: Arc::clone(&process),
                board: board.clone(),
            },
            client,
            rng: rng.take().expect("one actor at a time"),
        };
        let client = actor.client.clone();
        while !client.state().status.has_ended() && board.phase() < Phase::Over {
            if let Err(error) = trial.play(&mut actor).await {
                board.tell(|| format!("{}: {error}", process.name()));
                board.count("round failed");
                tokio::time::sleep(AGAIN).await;
            }
        }
        rng = Some(actor.rng);
        if client.state().status.has_ended() {
            board.tell(|| format!("{}: the session is over", process.name()));
            board.count("session expired");
            continue;
        }
        board.stands(process.number, |standing| {
            standing.is_idle = true;
            standing.session = client.session_id();
        });
        board.until(Phase::Closing).await;
        let _ = client.close().await;
        return gone(&process, &board);
    }
}

fn gone(process: &Process, board: &Board) {
    board.stands(process.number, |standing| standing.is_gone = true);
}

impl Who {
    pub(crate) fn number(&self) -> usize {
        self.process.number
    }

    /// Faults happen.
    pub(crate) fn is_faulty(&self) -> bool {
        self.board.phase() == Phase::Faulty
    }

    /// A round is done.
    pub(crate) fn got_on(&self) {
        let calm = !self.is_faulty();
        self.board.stands(self.number(), |standing| {
            standing.calm_rounds += u64::from(calm);
        });
        self.board.count("round done");
    }

    /// Says what it does, for the transcript and for who waits for it in vain.
    pub(crate) fn does(&self, doing: impl Into<String>) {
        let doing = doing.into();
        self.tell(|| doing.clone());
        self.board
            .stands(self.number(), |standing| standing.doing = doing);
    }

    /// Adds a line to the transcript.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        self.board
            .tell(|| format!("{}: {}", self.process.name(), line()));
    }

    pub(crate) fn count(&self, event: &str) {
        self.board.count(event);
    }

    /// Ends the run: something is not as it must be.
    pub(crate) fn violates(&self, checker: &'static str, detail: impl Into<String>) {
        self.board.violate(checker, detail.into());
    }
}

impl Actor {
    /// Is another round to begin?
    pub(crate) fn goes_on(&self) -> bool {
        self.board.phase() < Phase::Over && !self.client.state().status.has_ended()
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.rng.percent(percent)
    }

    /// Does nothing for a while, up to so many milliseconds.
    pub(crate) async fn idles(&mut self, most_ms: u64) {
        let ms = self.rng.below(most_ms + 1);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// The time between two rounds.
    pub(crate) async fn rests(&mut self) {
        self.idles(REST_MS).await;
    }

    /// Waits for a future, or drops it at some await while faults happen.
    pub(crate) async fn fated<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        if !self.is_faulty() || !self.chance(20) {
            return Some(future.await);
        }
        let dropped = match self.chance(50) {
            true => {
                let polls = self.rng.between(1..12);
                polled(future, polls).await
            }
            false => {
                let patience = Duration::from_millis(self.rng.between(1..3000));
                let ended = tokio::time::timeout(patience, future).await;
                ended.ok()
            }
        };
        if dropped.is_none() {
            self.tell(|| "drops the future".to_owned());
            self.count("future dropped");
        }
        dropped
    }
}

/// Polls a future so often at the most, then drops it.
async fn polled<T>(future: impl Future<Output = T>, polls: u64) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            left -= 1;
            if left == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}

/// What comes of playing.
pub(crate) type Played<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Now, on the clock of the run.
pub(crate) fn now_us(base: Instant) -> u64 {
    u64::try_from(base.elapsed().as_micros()).unwrap_or(u64::MAX)
}
