/// Hands out session ids: the server's id in the top byte, then a number that starts from
/// the clock, so that no id comes twice across restarts.
#[derive(Clone, Debug)]
pub struct SessionIds {
    next: i64,
}

/// The id that marks containers; no session may have it.
const CONTAINER: i64 = i64::MIN;

impl SessionIds {
    /// Starts from the wall clock, in milliseconds since 1970.
    pub fn new(server_id: u8, wall_ms: i64) -> Self {
        let clock = ((wall_ms << 24) as u64 >> 8) as i64;
        Self {
            next: clock | (i64::from(server_id) << 56),
        }
    }

    /// Continues behind `session` if that is one of this server's: the clock may have been
    /// set back since it was handed out, and two clients must never share a session.
    pub fn skip_past(&mut self, session: i64) {
        if session >> 56 == self.next >> 56 && session >= self.next {
            self.next = session.wrapping_add(1);
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
            let mut ids = SessionIds::new(server, wall_ms);
            let first = ids.allocate();
            assert_eq!((first as u64 >> 56) as u8, server);
            assert_eq!(ids.allocate(), first + 1);
        }
    }

    #[test]
    fn no_id_of_a_known_session_comes_again() {
        let mut ids = SessionIds::new(1, 1_795_437_227_715);
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
    fn never_the_container_mark() {
        let mut ids = SessionIds { next: CONTAINER };
        assert_eq!(ids.allocate(), CONTAINER + 1);
    }
}
