//! The scheme `ip`: addresses as text, and patterns with a number of leading bits.

use smallvec::SmallVec;

/// The bytes of an address, in network order: 4 or 16.
type Bytes = SmallVec<[u8; 16]>;

const V6_GROUPS: usize = 8;
const V6_GROUP_DIGITS: usize = 4;

/// An address and how many of its leading bits count.
struct Pattern {
    address: Bytes,
    bits: usize,
}

/// Is this an address, or an address and `/bits` within its length?
pub(super) fn is_pattern(text: &str) -> bool {
    parse_pattern(text).is_some()
}

/// Do the leading bits of the pattern equal those of the address? False unless both are
/// well formed and of the same family.
pub(super) fn matches(address: &str, pattern: &str) -> bool {
    let Some(pattern) = parse_pattern(pattern) else {
        return false;
    };
    // A link-local peer carries the name of its interface behind a percent sign.
    let address = address.split('%').next().unwrap_or_default();
    let Some(address) = parse_address(address) else {
        return false;
    };
    address.len() == pattern.address.len() && same_bits(&address, &pattern.address, pattern.bits)
}

fn parse_pattern(text: &str) -> Option<Pattern> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address = parse_address(address)?;
    let all = address.len() * 8;
    let bits = match bits {
        // The number as Java parses it: a sign is allowed.
        Some(bits) => usize::try_from(bits.parse::<i32>().ok()?).ok()?,
        None => all,
    };
    (bits <= all).then_some(Pattern { address, bits })
}

fn same_bits(one: &[u8], other: &[u8], bits: usize) -> bool {
    let (whole, rest) = (bits / 8, bits % 8);
    if one[..whole] != other[..whole] {
        return false;
    }
    rest == 0 || (one[whole] ^ other[whole]) >> (8 - rest) == 0
}

fn parse_address(text: &str) -> Option<Bytes> {
    if text.contains(':') {
        parse_v6(text)
    } else {
        parse_v4(text)
    }
}

fn parse_v4(text: &str) -> Option<Bytes> {
    let mut bytes = Bytes::new();
    for part in text.split('.') {
        if bytes.len() == 4 {
            return None;
        }
        bytes.push(u8::try_from(part.parse::<i32>().ok()?).ok()?);
    }
    (bytes.len() == 4).then_some(bytes)
}

fn parse_v6(text: &str) -> Option<Bytes> {
    let Some((front, back)) = text.split_once("::") else {
        let groups = parse_groups(text)?;
        return (groups.len() == V6_GROUPS * 2).then_some(groups);
    };
    if back.contains("::") {
        return None;
    }
    let mut bytes = parse_groups(front)?;
    let back = parse_groups(back)?;
    // The double colon stands for at least one group.
    let zeros = (V6_GROUPS * 2).checked_sub(bytes.len() + back.len())?;
    if zeros == 0 {
        return None;
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes.extend_from_slice(&back);
    Some(bytes)
}

/// Groups of hex digits between colons; none for the empty text.
fn parse_groups(text: &str) -> Option<Bytes> {
    let mut bytes = Bytes::new();
    if text.is_empty() {
        return Some(bytes);
    }
    for group in text.split(':') {
        let digits = group.len() <= V6_GROUP_DIGITS && group.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits || bytes.len() == V6_GROUPS * 2 {
            return None;
        }
        let value = u16::from_str_radix(group, 16).ok()?;
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    Some(bytes)
}
