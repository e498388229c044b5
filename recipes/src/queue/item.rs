//! What Curator's queues keep in the data of a node: several items.
//!
//! A version of four bytes, then for each item a 1, its length in four bytes and its bytes, then a
//! 2. All big-endian.

const VERSION: u32 = 0x0001_0001;
const ITEM: u8 = 1;
const END: u8 = 2;

/// The data of a node with these items.
pub(super) fn encode(items: &[Vec<u8>]) -> Vec<u8> {
    let size = items.iter().map(|item| 1 + 4 + item.len()).sum::<usize>();
    let mut data = Vec::with_capacity(4 + size + 1);
    data.extend(VERSION.to_be_bytes());
    for item in items {
        data.push(ITEM);
        // Far more than any node can hold does not fit.
        let length = u32::try_from(item.len()).unwrap_or(u32::MAX);
        data.extend(length.to_be_bytes());
        data.extend(item);
    }
    data.push(END);
    data
}

/// The items of a node; `None` if its data are none. What stands behind the end does not matter,
/// as with Curator.
pub(super) fn decode(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (version, mut rest) = number(data)?;
    (version == VERSION).then_some(())?;
    let mut items = Vec::new();
    loop {
        let (&kind, behind) = rest.split_first()?;
        match kind {
            ITEM => {
                let (length, behind) = number(behind)?;
                let (item, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
                items.push(item.to_vec());
                rest = behind;
            }
            END => return Some(items),
            _ => return None,
        }
    }
}

fn number(data: &[u8]) -> Option<(u32, &[u8])> {
    let (bytes, rest) = data.split_first_chunk()?;
    Some((u32::from_be_bytes(*bytes), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_their_bytes() {
        let cases: [(&[&str], &[u8]); 3] = [
            (&[], &[0, 1, 0, 1, 2]),
            (&["ab"], &[0, 1, 0, 1, 1, 0, 0, 0, 2, b'a', b'b', 2]),
            (
                &["", "c"],
                &[0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, b'c', 2],
            ),
        ];
        for (items, data) in cases {
            let items: Vec<_> = items.iter().map(|item| item.as_bytes().to_vec()).collect();
            assert_eq!(encode(&items), data);
            assert_eq!(decode(data), Some(items.clone()));
            assert_eq!(decode(&[data, b"more"].concat()), Some(items));
            for length in 0..data.len() {
                assert_eq!(decode(&data[..length]), None, "cut at {length}");
            }
        }
        for data in [
            &[0, 1, 0, 2, 2][..],
            &[0, 1, 0, 1, 3],
            &[0, 1, 0, 1, 1, 255, 255, 255, 255, 2],
            &[0, 1, 0, 1, 1, 127, 255, 255, 255, 2],
        ] {
            assert_eq!(decode(data), None, "{data:?}");
        }
    }
}
