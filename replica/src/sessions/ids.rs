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
    fn never_the_container_mark() {
        let mut ids = SessionIds { next: CONTAINER };
        assert_eq!(ids.allocate(), CONTAINER + 1);
    }
}
