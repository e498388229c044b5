//! The password of a session: a fixed function of its id, the same on every server.

/// Added to the seed; Apache's constant, a positive long.
const SUPER_SECRET: i64 = 0xB341_5C00;
const MULTIPLIER: i64 = 0x5_DEEC_E66D;
const MASK: i64 = (1 << 48) - 1;

/// 16 bytes of `java.util.Random`, seeded with the id. Not a secret: it tells sessions
/// apart, it protects none.
pub fn password(session: i64) -> [u8; 16] {
    let mut state = ((session ^ SUPER_SECRET) ^ MULTIPLIER) & MASK;
    let mut bytes = [0; 16];
    for word in bytes.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        word.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn matches_apache() {
        let table: &[(i64, u128)] = &[
            (
                0x0100_001e_a9bc_0000,
                0x86cb_1dc2_9b3d_a70b_d448_7314_dcc2_96d9,
            ),
            (1, 0x054c_c74a_3732_7db2_15e7_02e2_0c73_f005),
            (-1, 0x20f6_2cb5_648d_c2d7_7147_1c8a_2486_a9ee),
        ];
        for (session, expected) in table {
            assert_eq!(password(*session), expected.to_be_bytes(), "{session:#x}");
        }
    }
}
