//! Writers that remember what was acknowledged, a SIGKILL at a random instant, and a look at the
//! restarted server: everything acknowledged must be there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::diff::Dice;
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};
use crate::wire::{
    ConnectRequest, Connection, Cursor, Session, Writer, create_body, op, path_watch_body, request,
};

/// Clients writing at the same time.
const WRITERS: usize = 4;
/// Requests that a writer has on the way.
const WINDOW: usize = 16;
/// The kill comes at a random instant within this time, in milliseconds.
const LONGEST_LOAD: u64 = 150;
/// Every so many creates a writer sets its counter node.
const SET_EVERY: u64 = 4;

/// What one writer was told.
#[derive(Debug, Default, Clone)]
struct Acknowledged {
    /// Names that were created, with the number in their data.
    created: BTreeMap<String, u64>,
    /// Largest value set on the counter node.
    counter: u64,
    /// Next number to use; never used twice.
    next: u64,
}

/// Kills a loaded server `kills` times on one data directory.
pub(super) fn kills(
    launcher: &Launcher,
    which: Which,
    kills: u32,
    report: &mut Report,
) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let settings = Settings::usual()
        .cfg("snapCount", 2000)
        .cfg("preAllocSize", 256);
    let mut dice = Dice::new(u64::from(kills));
    let mut known = vec![Acknowledged::default(); WRITERS];
    prepare(launcher, which, directory.path(), &settings)?;
    let (mut lost, mut refused) = (0, 0);
    for round in 1..=kills {
        let load = Duration::from_millis(1 + dice.below(LONGEST_LOAD));
        match one_kill(
            launcher,
            which,
            directory.path(),
            &settings,
            load,
            &mut known,
        ) {
            Ok(None) => {}
            Ok(Some(what)) => {
                lost += 1;
                report.fail(&format!("kill {round}"), &what);
            }
            Err(error) => {
                refused += 1;
                report.fail(&format!("kill {round}"), &format!("{error:#}"));
                break;
            }
        }
        if round.is_multiple_of(25) {
            let writes: usize = known.iter().map(|writer| writer.created.len()).sum();
            println!("{round} kills, {writes} acknowledged creates checked");
        }
    }
    if lost == 0 && refused == 0 {
        report.pass(&format!(
            "{kills} SIGKILLs under load: nothing acknowledged lost, every start served"
        ));
    }
    Ok(())
}

fn prepare(launcher: &Launcher, which: Which, folder: &Path, settings: &Settings) -> Result<()> {
    let server = launcher.start(which, folder, settings)?;
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(30_000))?;
    for writer in 0..WRITERS {
        session.expect(op::CREATE, &create_body(&format!("/w{writer}"), b"0", 0))?;
    }
    server.stop()
}

/// Starts, checks what is known, loads, kills. Some text if something acknowledged is missing.
fn one_kill(
    launcher: &Launcher,
    which: Which,
    folder: &Path,
    settings: &Settings,
    load: Duration,
    known: &mut [Acknowledged],
) -> Result<Option<String>> {
    let server = launcher.start(which, folder, settings)?;
    let address = server.address();
    for (index, writer) in known.iter().enumerate() {
        if let Some(missing) = verify(address, index, writer)? {
            return Ok(Some(missing));
        }
    }
    let deadline = Instant::now() + load;
    let killed = std::thread::scope(|scope| {
        let writers: Vec<_> = known
            .iter_mut()
            .enumerate()
            .map(|(index, known)| scope.spawn(move || write(address, index, known)))
            .collect();
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        let killed = server.kill();
        for writer in writers {
            // A writer ends with the error that the kill causes; what counts is what it was told.
            let _: Result<()> = writer.join().expect("a writer does not panic");
        }
        killed
    });
    killed.context("killing the server")?;
    Ok(None)
}

/// Creates and sets with a window of requests until the connection breaks.
fn write(address: SocketAddr, index: usize, known: &mut Acknowledged) -> Result<()> {
    let mut connection = Connection::open(address)?;
    connection
        .handshake(&ConnectRequest::fresh(30_000))?
        .context("closed")?;
    let mut sent = std::collections::VecDeque::new();
    loop {
        let mut bytes = Vec::new();
        while sent.len() < WINDOW {
            let number = known.next;
            known.next += 1;
            let set = number.is_multiple_of(SET_EVERY);
            let text = number.to_string();
            bytes.extend(if set {
                let writer = Writer::default().string(Some(&format!("/w{index}")));
                request(
                    1,
                    op::SET_DATA,
                    &writer.buffer(Some(text.as_bytes())).int(-1).0,
                )
            } else {
                request(
                    1,
                    op::CREATE,
                    &create_body(&format!("/w{index}/n{number}"), text.as_bytes(), 0),
                )
            });
            sent.push_back((set, number));
        }
        connection.send(&bytes)?;
        for _ in 0..WINDOW / 2 {
            let frame = connection.frame()?.context("closed")?;
            let mut cursor = Cursor::new(&frame);
            let (_, _, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
            let (set, number) = sent.pop_front().context("more answers than requests")?;
            match (error, set) {
                (0, true) => known.counter = known.counter.max(number),
                (0, false) => drop(known.created.insert(format!("n{number}"), number)),
                (error, _) => bail!("write {number} failed with {error}"),
            }
        }
    }
}

/// Compares a writer's folder and counter with what it was told.
fn verify(address: SocketAddr, index: usize, known: &Acknowledged) -> Result<Option<String>> {
    let mut session = Session::connect(address, &ConnectRequest::fresh(30_000))?;
    let path = format!("/w{index}");
    let body = session.expect(op::GET_CHILDREN, &path_watch_body(&path, false))?;
    let children: std::collections::BTreeSet<String> =
        Cursor::new(&body).strings()?.into_iter().collect();
    let missing: Vec<&String> = known
        .created
        .keys()
        .filter(|name| !children.contains(*name))
        .collect();
    if !missing.is_empty() {
        return Ok(Some(format!(
            "{} acknowledged nodes of {path} are gone: {missing:?}",
            missing.len()
        )));
    }
    let body = session.expect(op::GET_DATA, &path_watch_body(&path, false))?;
    let data = Cursor::new(&body).buffer()?.unwrap_or_default().to_vec();
    let value: u64 = String::from_utf8_lossy(&data)
        .parse()
        .context("the counter")?;
    if value < known.counter {
        return Ok(Some(format!(
            "{path} is {value}, but {} was acknowledged",
            known.counter
        )));
    }
    // One node's content, the newest: the others were looked at when they were the newest.
    if let Some((name, number)) = known.created.iter().max_by_key(|(_, number)| **number) {
        let body = session.expect(
            op::GET_DATA,
            &path_watch_body(&format!("{path}/{name}"), false),
        )?;
        let data = Cursor::new(&body).buffer()?.unwrap_or_default().to_vec();
        if data != number.to_string().as_bytes() {
            return Ok(Some(format!(
                "{path}/{name} holds {:?}",
                String::from_utf8_lossy(&data)
            )));
        }
    }
    session.expect(op::CLOSE_SESSION, &[])?;
    Ok(None)
}
