//! Who sends. Mostly the driver does; a caller does it by itself when much has come together, while
//! the driver waits for its turn on the caller's thread: the server has something to do meanwhile,
//! and nobody is woken up for it.

use std::sync::Arc;

use tokio::net::tcp::OwnedWriteHalf;

/// So many bytes are worth a packet of their own: some dozens of reads, or one larger write.
const ENOUGH_BYTES: usize = 2048;

/// What a buffer may keep between two batches, bytes.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// Bytes on their way, of which the first ones are sent.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    bytes: Vec<u8>,
    sent: usize,
}

impl Sending {
    /// What is still to be sent.
    pub(crate) fn left(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The next `count` of them are sent. Once all are, the memory is free for others, unless it is
    /// much.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.left().is_empty() {
            self.clear();
        }
    }

    /// Forgets what was to be sent.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.sent = 0;
    }
}

/// The way of the session's bytes to the socket. One at a time has some of them, which keeps them
/// in order.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// The present connection, if callers may send on it.
    writer: Option<Arc<OwnedWriteHalf>>,
    sender: Sender,
    /// What a caller could not send. The driver goes on with it.
    rest: Sending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sender {
    #[default]
    Nobody,
    Driver,
    Caller,
}

/// What a caller sends.
#[derive(Debug)]
pub(crate) struct Portion {
    writer: Arc<OwnedWriteHalf>,
    sending: Sending,
}

impl Outlet {
    /// There is another connection, or none. What was on its way is not for it, nor is what the
    /// session wanted to send before: it forgets that in the step in which it learns of the end,
    /// see `Session::output`.
    pub(crate) fn connect(&mut self, writer: Option<Arc<OwnedWriteHalf>>) {
        *self = Self {
            writer,
            ..Self::default()
        };
    }

    /// For the driver: if it has sent all that it had and it is its turn, `sending` becomes what a
    /// caller left, or `output` unless the driver is to `wait` for more. True if it took that.
    pub(crate) fn fill(&mut self, sending: &mut Sending, output: &mut Vec<u8>, wait: bool) -> bool {
        if !sending.left().is_empty() || self.sender == Sender::Caller {
            return false;
        }
        if !self.rest.left().is_empty() {
            std::mem::swap(sending, &mut self.rest);
            return false;
        }
        let takes = !output.is_empty() && !wait;
        if takes {
            std::mem::swap(&mut sending.bytes, output);
        }
        self.sender = match takes {
            true => Sender::Driver,
            false => Sender::Nobody,
        };
        takes
    }

    /// For a caller: takes `output` to [send](Portion::send) it, if it is enough and nobody sends.
    pub(crate) fn take(&mut self, output: &mut Vec<u8>) -> Option<Portion> {
        if self.sender != Sender::Nobody || output.len() < ENOUGH_BYTES {
            return None;
        }
        let writer = Arc::clone(self.writer.as_ref()?);
        self.sender = Sender::Caller;
        let bytes = std::mem::take(output);
        let sending = Sending { bytes, sent: 0 };
        Some(Portion { writer, sending })
    }

    /// The caller has sent what could be sent at once. `output` is what has come meanwhile. True if
    /// something is left to the driver, who then has to look once more. What memory is of no more
    /// use stays with the portion, so that it is not freed under a lock.
    pub(crate) fn give_back(&mut self, portion: &mut Portion, output: &mut Vec<u8>) -> bool {
        let present = self.writer.as_ref();
        if !present.is_some_and(|writer| Arc::ptr_eq(writer, &portion.writer)) {
            // It went with its connection.
            return false;
        }
        if !portion.sending.left().is_empty() {
            self.rest = std::mem::take(&mut portion.sending);
            self.sender = Sender::Driver;
            return true;
        }
        self.sender = Sender::Nobody;
        if output.is_empty() {
            // Its memory is used again.
            *output = std::mem::take(&mut portion.sending.bytes);
        }
        !output.is_empty()
    }
}

impl Portion {
    /// Sends what the system takes at once. The driver meets what went wrong, if anything did.
    pub(crate) fn send(&mut self) {
        let sent = self.writer.try_write(self.sending.left()).unwrap_or(0);
        self.sending.advance(sent);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn writer() -> (TcpStream, Arc<OwnedWriteHalf>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let near = TcpStream::connect(address).await.expect("a connection");
        let (far, _) = listener.accept().await.expect("the other end");
        (far, Arc::new(near.into_split().1))
    }

    fn much(byte: u8) -> Vec<u8> {
        vec![byte; ENOUGH_BYTES]
    }

    /// What a caller leaves of a portion of which so much could be sent.
    fn sent(mut portion: Portion, count: usize) -> Portion {
        portion.sending.advance(count);
        portion
    }

    #[tokio::test]
    async fn one_at_a_time_sends() {
        let (_far, writer) = writer().await;
        let mut outlet = Outlet::default();
        let (mut output, mut driver) = (much(1), Sending::default());
        assert!(outlet.take(&mut output).is_none(), "no connection");
        outlet.connect(Some(writer));
        let last = output.pop();
        assert!(outlet.take(&mut output).is_none(), "too little");
        output.extend(last);
        let mut portion = outlet.take(&mut output).expect("enough");
        portion.send();
        assert_eq!(portion.sending.left(), b"");

        output = much(2);
        assert!(outlet.take(&mut output).is_none(), "another one sends");
        assert!(!outlet.fill(&mut driver, &mut output, false));
        assert_eq!(driver.left(), b"", "so the driver has nothing");
        assert!(outlet.give_back(&mut portion, &mut output));
        assert!(!outlet.fill(&mut driver, &mut output, true) && driver.left().is_empty());
        assert!(outlet.fill(&mut driver, &mut output, false));
        assert_eq!((driver.left(), output.len()), (&much(2)[..], 0));

        output = much(3);
        assert!(outlet.take(&mut output).is_none(), "the driver sends");
        assert!(!outlet.fill(&mut driver, &mut output, false), "still");
        driver.advance(driver.left().len());
        assert!(!outlet.fill(&mut driver, &mut output, true), "it waits");
        let portion = outlet.take(&mut output).expect("nobody sends");
        assert!(!outlet.give_back(&mut sent(portion, ENOUGH_BYTES), &mut output));
        assert!(output.capacity() >= ENOUGH_BYTES, "for the next ones");
    }

    #[tokio::test]
    async fn what_a_caller_could_not_send_comes_first() {
        let (_far, writer) = writer().await;
        let mut outlet = Outlet::default();
        outlet.connect(Some(writer));
        let (mut output, mut driver) = (much(1), Sending::default());
        let portion = outlet.take(&mut output).expect("enough");
        output = much(2);
        assert!(outlet.give_back(&mut sent(portion, 5), &mut output));
        assert!(outlet.take(&mut output).is_none(), "the driver is to send");
        assert!(!outlet.fill(&mut driver, &mut output, true));
        assert_eq!(driver.left(), &much(1)[5..]);
        driver.advance(driver.left().len());
        assert!(outlet.fill(&mut driver, &mut output, false));
        assert_eq!(driver.left(), much(2));
    }

    #[tokio::test]
    async fn what_was_on_its_way_goes_with_its_connection() {
        let ((_far, first), (_, second)) = (writer().await, writer().await);
        let mut outlet = Outlet::default();
        outlet.connect(Some(first));
        let (mut output, mut driver) = (much(1), Sending::default());
        let portion = outlet.take(&mut output).expect("enough");
        outlet.connect(Some(second));
        output = much(2);
        let other = outlet.take(&mut output).expect("nobody sends on this one");
        output.push(3);
        assert!(!outlet.give_back(&mut sent(portion, 5), &mut output));
        assert!(
            !outlet.fill(&mut driver, &mut output, false),
            "a caller sends"
        );
        assert!(outlet.give_back(&mut sent(other, ENOUGH_BYTES), &mut output));
        assert!(outlet.fill(&mut driver, &mut output, false));
        assert_eq!(driver.left(), [3]);
    }
}
