use std::fmt::Write as _;

const RULE_ABOVE: &str = "         +-------------------------------------------------+";
const COLUMNS: &str = "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |";
const RULE: &str = "+--------+-------------------------------------------------+----------------+";
const PER_LINE: usize = 16;

/// Bytes in hexadecimal and as characters, sixteen to the line, as Netty prints them; nothing
/// of nothing.
pub(crate) fn hexdump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let mut text = format!("{RULE_ABOVE}\n{COLUMNS}\n{RULE}\n");
    for (line, bytes) in data.chunks(PER_LINE).enumerate() {
        let _ = write!(text, "|{:08x}|", line * PER_LINE);
        for byte in bytes {
            let _ = write!(text, " {byte:02x}");
        }
        let characters: String = bytes.iter().map(|byte| shown(*byte)).collect();
        let missing = 3 * (PER_LINE - bytes.len());
        let _ = writeln!(text, "{:missing$} |{characters:PER_LINE$}|", "");
    }
    text.push_str(RULE);
    text
}

fn shown(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '.'
    }
}
