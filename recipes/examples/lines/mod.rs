//! What the programs beside this folder are told to do.

use tokio::sync::mpsc;

/// Lines that may wait: who sends them waits for an answer first.
const LINES_MAX: usize = 4;

/// The lines of the standard input. They are read by a thread, so that sessions are kept alive
/// while nothing is to be done.
pub(crate) fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}
