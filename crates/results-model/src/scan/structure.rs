//! Finds brackets in JSON text, 64 bytes at a step, without looking at what is between them.
//!
//! This is the one loop that sees every byte of a report on the reading thread, so it decides
//! nothing: whether the text between two brackets is valid JSON is the typed parser's to tell.

use wide::u8x16;

/// Bytes looked at in one step.
pub(super) const STEP: usize = 64;

/// Every other bit, from the second on.
const ODD_BITS: u64 = 0xAAAA_AAAA_AAAA_AAAA;

/// Bit `i` is set where byte `i` of the step is a bracket outside any string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Brackets {
    /// `{` and `[`
    pub(super) open: u64,
    /// `}` and `]`
    pub(super) close: u64,
}

/// What one step must know of the steps before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StringState {
    /// 1 if the step's first byte is escaped by a backslash before it.
    escaped: u64,
    /// All ones if the step begins inside a string.
    inside: u64,
}

impl StringState {
    /// Brackets of the next step; most steps have none.
    #[inline]
    pub(super) fn brackets(&mut self, step: &[u8; STEP]) -> Brackets {
        let masks = Masks::of(step);
        let string = self.inside(masks.quote, masks.backslash);
        let found = masks.bracket & !string;
        if found == 0 {
            return Brackets::default();
        }
        Brackets::among(step, found)
    }

    /// Bits of the bytes that are inside strings, opening quotes among them.
    #[inline]
    fn inside(&mut self, quote: u64, backslash: u64) -> u64 {
        let escaped = self.escaped(backslash);
        let string = prefix_xor(quote & !escaped) ^ self.inside;
        self.inside = 0u64.wrapping_sub(string >> 63);
        string
    }

    /// Bits of the bytes that a backslash escapes: those after an odd number of backslashes.
    #[inline]
    fn escaped(&mut self, backslash: u64) -> u64 {
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        // A run of backslashes that begins at an even (odd) bit ends its escaping pattern at an
        // even (odd) bit; subtracting the run's starts from the alternating pattern lets the
        // borrow walk each run once, whatever its length.
        let starts = backslash & !self.escaped;
        let pattern = ((starts << 1) | ODD_BITS).wrapping_sub(starts) ^ ODD_BITS;
        let escaped = pattern ^ (backslash | self.escaped);
        self.escaped = (pattern & backslash) >> 63;
        escaped
    }
}

/// The step at `from`; the last one of an ended text is padded with blanks.
pub(super) fn step_at(text: &[u8], from: usize, ended: bool) -> Option<([u8; STEP], usize)> {
    let rest = text.get(from..).unwrap_or_default();
    if let Some((step, _)) = rest.split_first_chunk::<STEP>() {
        return Some((*step, STEP));
    }
    if !ended || rest.is_empty() {
        return None;
    }
    let mut step = [b' '; STEP];
    step.iter_mut()
        .zip(rest)
        .for_each(|(padded, byte)| *padded = *byte);
    Some((step, rest.len()))
}

/// Looks for the end of a container that starts `text` (or goes on in it). Returns the bytes
/// that belong to it, and whether it ends with them.
pub(super) fn end_of_container(
    text: &[u8],
    ended: bool,
    state: &mut StringState,
    depth: &mut u64,
) -> (usize, bool) {
    let mut used = 0;
    while let Some((step, length)) = step_at(text, used, ended) {
        let brackets = state.brackets(&step);
        if brackets.is_empty() {
            used += length;
            continue;
        }
        let closes = u64::from(brackets.close.count_ones());
        if *depth > closes {
            *depth = *depth + u64::from(brackets.open.count_ones()) - closes;
        } else {
            for (bit, opens) in bits(brackets) {
                *depth = if opens {
                    *depth + 1
                } else {
                    depth.saturating_sub(1)
                };
                if *depth == 0 {
                    return (used + bit + 1, true);
                }
            }
        }
        used += length;
    }
    (used, false)
}

/// The brackets of a step in order: position, and whether it opens.
pub(super) fn bits(brackets: Brackets) -> impl Iterator<Item = (usize, bool)> {
    let mut left = brackets.open | brackets.close;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let bit = left.trailing_zeros() as usize;
        left &= left - 1;
        Some((bit, brackets.open >> bit & 1 == 1))
    })
}

impl Brackets {
    pub(super) fn is_empty(self) -> bool {
        self.open | self.close == 0
    }

    /// The brackets among the bytes that `found` has a bit for.
    fn among(step: &[u8; STEP], found: u64) -> Self {
        let mut brackets = Self::default();
        let mut left = found;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            match step.get(left.trailing_zeros() as usize) {
                Some(b'{' | b'[') => brackets.open |= bit,
                Some(b'}' | b']') => brackets.close |= bit,
                _ => {}
            }
            left ^= bit;
        }
        brackets
    }
}

/// Where the bytes that matter are in a step.
struct Masks {
    backslash: u64,
    quote: u64,
    /// Brackets, and outside strings nothing else that JSON has.
    bracket: u64,
}

impl Masks {
    #[inline]
    fn of(step: &[u8; STEP]) -> Self {
        let (mut quote, mut bracket) = (0, 0);
        let mut escapes = u8x16::ZERO;
        // All four brackets are the same but for these bits, as are Y, y, _ and DEL.
        let fold = u8x16::splat(0x26);
        let lanes = step.as_chunks::<16>().0;
        for (lane, bytes) in lanes.iter().enumerate() {
            let bytes = u8x16::new(*bytes);
            let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << (lane * 16);
            quote |= bits(bytes.simd_eq(u8x16::splat(b'"')));
            bracket |= bits((bytes | fold).simd_eq(u8x16::splat(0x7F)));
            escapes |= bytes.simd_eq(u8x16::splat(b'\\'));
        }
        let mut backslash = 0;
        if escapes.to_bitmask() != 0 {
            for (lane, bytes) in lanes.iter().enumerate() {
                let bits = u8x16::new(*bytes).simd_eq(u8x16::splat(b'\\')).to_bitmask();
                backslash |= u64::from(bits) << (lane * 16);
            }
        }
        Self {
            backslash,
            quote,
            bracket,
        }
    }
}

/// Bit `i` is the parity of bits `0..=i`: set from each opening quote up to its closing one.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a byte at a time.
    fn plain(text: &[u8]) -> Vec<(usize, bool)> {
        let (mut inside, mut escaped, mut found) = (false, false, Vec::new());
        for (index, &byte) in text.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' if !was_escaped => escaped = true,
                b'"' if !was_escaped => inside = !inside,
                b'{' | b'[' if !inside => found.push((index, true)),
                b'}' | b']' if !inside => found.push((index, false)),
                _ => {}
            }
        }
        found
    }

    fn stepped(text: &[u8]) -> Vec<(usize, bool)> {
        let (mut state, mut found) = (StringState::default(), Vec::new());
        for (index, chunk) in text.chunks(STEP).enumerate() {
            let mut step = [b' '; STEP];
            step[..chunk.len()].copy_from_slice(chunk);
            let brackets = state.brackets(&step);
            for bit in 0..STEP {
                if brackets.open >> bit & 1 == 1 {
                    found.push((index * STEP + bit, true));
                }
                if brackets.close >> bit & 1 == 1 {
                    found.push((index * STEP + bit, false));
                }
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn agrees_with_the_plain_scan(
            text in prop::collection::vec(prop::sample::select(br#"\\\\""{}[]:, a5"#.to_vec()), 0..400)
        ) {
            prop_assert_eq!(stepped(&text), plain(&text));
        }
    }

    #[test]
    fn a_backslash_run_across_a_step_keeps_its_parity() {
        for run in 0..5 {
            for lead in 60..68 {
                let text = format!("{}\"{}\"{{}}\"}}", " ".repeat(lead), "\\".repeat(run));
                assert_eq!(stepped(text.as_bytes()), plain(text.as_bytes()), "{text}");
            }
        }
    }
}
