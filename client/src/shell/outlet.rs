//! Who sends. Mostly the driver does; a caller does it by itself when much has come together, while the driver waits for
//! its turn on the caller's thread: the server has something to do meanwhile, and nobody is woken up for it.

use std::sync::Arc;

use tokio::net::tcp::OwnedWriteHalf;

/// So many bytes are worth a packet of their own: some dozens of reads, or one larger write.
const ENOUGH_BYTES: usize = 2048;

/// What a buffer may keep between two batches, bytes.
pub(crate) const KEPT_BYTES_MAX: usize = 256 * 1024;

/// The way of the session's bytes to the socket. One at a time has some of them, which keeps them in order.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// The present connection, if callers may send on it.
    writer: Option<Arc<OwnedWriteHalf>>,
    sender: Sender,
    /// What a caller could not send. The driver goes on with it.
    rest: Vec<u8>,
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
    bytes: Vec<u8>,
}

impl Outlet {
    /// There is another connection, or none. What was on its way is not for it.
    pub(crate) fn connect(&mut self, writer: Option<Arc<OwnedWriteHalf>>) {
        *self = Self {
            writer,
            ..Self::default()
        };
    }

    /// For the driver, whose last bytes are sent when `bytes` is empty: fills it, if it is its turn, with what a caller
    /// left, or with `output` unless it is to `wait` for more. True if it took that.
    pub(crate) fn fill(&mut self, bytes: &mut Vec<u8>, output: &mut Vec<u8>, wait: bool) -> bool {
        if !bytes.is_empty() || self.sender == Sender::Caller {
            return false;
        }
        if !self.rest.is_empty() {
            *bytes = std::mem::take(&mut self.rest);
            return false;
        }
        let takes = !output.is_empty() && !wait;
        if takes {
            std::mem::swap(bytes, output);
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
        Some(Portion { writer, bytes })
    }

    /// The caller has sent what could be sent at once. `output` is what has come meanwhile. True if something is left to
    /// the driver.
    pub(crate) fn give_back(
        &mut self,
        mut portion: Portion,
        sent: usize,
        output: &mut Vec<u8>,
    ) -> bool {
        let present = self.writer.as_ref();
        if !present.is_some_and(|writer| Arc::ptr_eq(writer, &portion.writer)) {
            // It went with its connection.
            return false;
        }
        if sent < portion.bytes.len() {
            portion.bytes.drain(..sent);
            self.rest = portion.bytes;
            self.sender = Sender::Driver;
            return true;
        }
        self.sender = Sender::Nobody;
        if output.is_empty() {
            // Its memory is used again.
            portion.bytes.clear();
            portion.bytes.shrink_to(KEPT_BYTES_MAX);
            *output = portion.bytes;
        }
        !output.is_empty()
    }
}

impl Portion {
    /// Sends what the system takes at once, and says how much. The driver meets what went wrong, if anything did.
    pub(crate) fn send(&self) -> usize {
        self.writer.try_write(&self.bytes).unwrap_or(0)
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

    #[tokio::test]
    async fn one_at_a_time_sends() {
        let (_far, writer) = writer().await;
        let mut outlet = Outlet::default();
        let (mut output, mut bytes) = (much(1), Vec::new());
        assert!(outlet.take(&mut output).is_none(), "no connection");
        outlet.connect(Some(writer));
        let last = output.pop();
        assert!(outlet.take(&mut output).is_none(), "too little");
        output.extend(last);
        let portion = outlet.take(&mut output).expect("enough");
        assert_eq!(portion.send(), ENOUGH_BYTES);

        output = much(2);
        assert!(outlet.take(&mut output).is_none(), "another one sends");
        assert!(!outlet.fill(&mut bytes, &mut output, false));
        assert!(bytes.is_empty(), "so the driver has nothing");
        assert!(outlet.give_back(portion, ENOUGH_BYTES, &mut output));
        assert!(!outlet.fill(&mut bytes, &mut output, true) && bytes.is_empty());
        assert!(outlet.fill(&mut bytes, &mut output, false));
        assert_eq!((&bytes, output.len()), (&much(2), 0));

        output = much(3);
        assert!(outlet.take(&mut output).is_none(), "the driver sends");
        assert!(!outlet.fill(&mut bytes, &mut output, false), "still");
        bytes.clear();
        assert!(!outlet.fill(&mut bytes, &mut output, true), "it waits");
        let portion = outlet.take(&mut output).expect("nobody sends");
        assert!(!outlet.give_back(portion, ENOUGH_BYTES, &mut output));
        assert!(output.capacity() >= ENOUGH_BYTES, "for the next ones");
    }

    #[tokio::test]
    async fn what_a_caller_could_not_send_comes_first() {
        let (_far, writer) = writer().await;
        let mut outlet = Outlet::default();
        outlet.connect(Some(writer));
        let (mut output, mut bytes) = (much(1), Vec::new());
        let portion = outlet.take(&mut output).expect("enough");
        output = much(2);
        assert!(outlet.give_back(portion, 5, &mut output));
        assert!(outlet.take(&mut output).is_none(), "the driver is to send");
        assert!(!outlet.fill(&mut bytes, &mut output, true));
        assert_eq!(bytes, much(1)[5..]);
        bytes.clear();
        assert!(outlet.fill(&mut bytes, &mut output, false));
        assert_eq!(bytes, much(2));
    }

    #[tokio::test]
    async fn what_was_on_its_way_goes_with_its_connection() {
        let ((_far, first), (_, second)) = (writer().await, writer().await);
        let mut outlet = Outlet::default();
        outlet.connect(Some(first));
        let (mut output, mut bytes) = (much(1), Vec::new());
        let portion = outlet.take(&mut output).expect("enough");
        outlet.connect(Some(second));
        output = much(2);
        let other = outlet.take(&mut output).expect("nobody sends on this one");
        output.push(3);
        assert!(!outlet.give_back(portion, 5, &mut output));
        assert!(
            !outlet.fill(&mut bytes, &mut output, false),
            "a caller sends"
        );
        assert!(outlet.give_back(other, ENOUGH_BYTES, &mut output));
        assert!(outlet.fill(&mut bytes, &mut output, false));
        assert_eq!(bytes, [3]);
    }
}
