use jute::Zxid;

/// Hands out session ids: the server's id in the top byte, then a number that starts from
/// the clock and the history, so that no id comes twice across restarts. A client whose
/// session is long gone may still ask for it, and must not be given another client's.
#[derive(Clone, Debug)]
pub struct SessionIds {
    next: i64,
    last_zxid: Zxid,
}

/// The id that marks containers; no session may have it.
const CONTAINER: i64 = i64::MIN;

impl SessionIds {
    /// Starts from the wall clock, in milliseconds since 1970, and the last transaction.
    /// The clock moves the number on by 65,536 each millisecond. Should it be set back to
    /// the very millisecond of an earlier start, the zxid tells the two apart: it has grown
    /// by one at least for each session opened since.
    pub fn new(server_id: u8, wall_ms: i64, last_zxid: Zxid) -> Self {
        let clock = ((wall_ms << 24) as u64 >> 8) as i64;
        Self {
            next: clock | (last_zxid.0 & 0xffff) | (i64::from(server_id) << 56),
            last_zxid,
        }
    }

    /// Continues behind `session`, and behind all that were opened after it, if it is one of
    /// this server's: the clock may have been set back since it was handed out. There were
    /// at most as many as there are transactions.
    pub fn skip_past(&mut self, session: i64) {
        if session >> 56 == self.next >> 56 && session >= self.next {
            self.next = session.wrapping_add(1).wrapping_add(self.last_zxid.0);
        }
    }

    /// The next id.
    pub fn allocate(&mut self) -> i64 {
        if self.next == CONTAINER {
            self.next += 1;
        }
        let id = self.next;
        self.next += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_byte_is_the_server() {
        for (server, wall_ms) in [(1_u8, 1_795_437_227_715_i64), (0xfe, i64::MAX >> 8)] {
            let mut ids = SessionIds::new(server, wall_ms, Zxid::ZERO);
            let first = ids.allocate();
            assert_eq!((first as u64 >> 56) as u8, server);
            assert_eq!(ids.allocate(), first + 1);
        }
    }

    #[test]
    fn no_id_of_a_known_session_comes_again() {
        let mut ids = SessionIds::new(1, 1_795_437_227_715, Zxid::ZERO);
        let first = ids.clone().allocate();
        let table = [
            (first - 1, first),
            (first, first + 1),
            (first + 70_000, first + 70_001),
            (first + 5, first + 70_001),
            // Another server's.
            (2 << 56, first + 70_001),
        ];
        for (known, next) in table {
            ids.skip_past(known);
            assert_eq!(ids.clone().allocate(), next, "{known:#x}");
        }
    }

    #[test]
    fn a_start_in_the_same_millisecond_goes_on_behind() {
        let at = |zxid| SessionIds::new(1, 1_795_437_227_715, Zxid(zxid));
        let mut first = at(5);
        let last = (0..10).map(|_| first.allocate()).last();
        assert!(Some(at(15).allocate()) > last);
    }

    #[test]
    fn never_the_container_mark() {
        let mut ids = SessionIds {
            next: CONTAINER,
            last_zxid: Zxid::ZERO,
        };
        assert_eq!(ids.allocate(), CONTAINER + 1);
    }
}
