//! What is wrong with those who come to the ports between servers, told ever more rarely.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use parking_lot::Mutex;

/// Machines and kinds of faults that are remembered at the most.
const REMEMBERED_MAX: usize = 1024;

/// Says what of it is to be logged: the first of a machine and kind, the second, the fourth, and so
/// on.
#[derive(Debug)]
pub(crate) struct Complaints<K>(Mutex<HashMap<(IpAddr, K), u64>>);

impl<K> Default for Complaints<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Complaints<K> {
    /// Counts one more. If it is to be logged: what is to be said of those before it.
    pub(crate) fn told(&self, from: IpAddr, kind: K) -> Option<&'static str> {
        let mut seen = self.0.lock();
        if seen.len() >= REMEMBERED_MAX {
            seen.clear();
        }
        let times = seen.entry((from, kind)).or_default();
        *times += 1;
        match *times {
            1 => Some(""),
            times if times.is_power_of_two() => Some(", and not for the first time"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_machine_and_kind_by_itself_and_ever_more_rarely() {
        let complaints = Complaints::default();
        let [one, other] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(10, 0, 0, last)));
        let told: Vec<u32> = (1..=20)
            .filter(|_| complaints.told(one, "kind").is_some())
            .collect();
        assert_eq!(told, [1, 2, 4, 8, 16]);
        assert_eq!(complaints.told(one, "other kind"), Some(""));
        assert_eq!(complaints.told(other, "kind"), Some(""));
        assert!(
            complaints
                .told(other, "kind")
                .is_some_and(|more| !more.is_empty())
        );
        for machine in 0..REMEMBERED_MAX as u32 {
            complaints.told(Ipv4Addr::from_bits(machine).into(), "kind");
        }
        assert!(complaints.0.lock().len() <= REMEMBERED_MAX);
    }
}
