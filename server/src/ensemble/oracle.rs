//! The oracle of an ensemble of two (`oraclePath`): a file that someone outside writes, who knows
//! whether the other server is really gone. Its first character says whether this one may go on
//! alone: `1` is yes. What cannot be read says no, as in Apache.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zab::Input;

use super::engine::{Arrival, Engine};

/// Between two looks. Apache looks when it asks, at each tick or less often.
const PAUSE: Duration = Duration::from_millis(100);

const YES: u8 = b'1';

/// What the file says. The first character is the first byte: no other one begins with that of `1`.
fn ask(path: &Path) -> std::io::Result<bool> {
    let mut first = [0];
    let len = File::open(path)?.read(&mut first)?;
    Ok(len == 1 && first[0] == YES)
}

/// Asks the oracle once, and then again and again until `stop`; consensus is told what is new.
pub(super) async fn consult(engine: Arc<Engine>, path: PathBuf, stop: CancellationToken) {
    info!("Oracle is set to {}", path.display());
    let (mut known, mut readable) = (None, true);
    while !stop.is_cancelled() {
        let asked = path.clone();
        let said = tokio::task::spawn_blocking(move || ask(&asked)).await;
        let said = said.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        if let (Err(error), true) = (&said, readable) {
            warn!("the oracle {} says no: {error}", path.display());
        }
        readable = said.is_ok();
        let says = said.unwrap_or(false);
        if known.replace(says) != Some(says) {
            info!("the oracle {} says {says}", path.display());
            engine.post(Arrival::Peer(Input::Oracle(says)));
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_first_character_decides() {
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        let path = dir.path().join("oracle");
        assert!(ask(&path).is_err(), "there is none");
        for (content, expected) in [
            ("", false),
            ("1", true),
            ("1\n", true),
            ("10", true),
            ("0", false),
            (" 1", false),
            ("yes", false),
            ("\u{661}", false),
        ] {
            fs::write(&path, content).expect("a file");
            assert_eq!(ask(&path).expect("readable"), expected, "{content:?}");
        }
    }
}
