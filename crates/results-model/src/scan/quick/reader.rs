//! Moves over a record's text, value by value.

use std::ops::Range;

use wide::u8x16;

use super::Undecided;
use crate::scan::structure::{StringState, end_of_container};

/// Bytes looked at in one step.
const LANES: usize = 16;

/// A position in a record's text.
pub(super) struct Reader<'de> {
    text: &'de str,
    at: usize,
    /// Containers that are open.
    pub(super) depth: u8,
}

/// A string's text between its quotes.
pub(super) struct Text<'de> {
    pub(super) raw: &'de str,
    pub(super) has_escapes: bool,
}

/// What a number's text says.
pub(super) enum Number {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

impl<'de> Reader<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Undecided> {
        if self.peek() != Some(byte) {
            return Err(Undecided);
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), Undecided> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Undecided);
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes null, or what Python's `json.dump` writes for a number that is none.
    pub(super) fn take_absent(&mut self) -> Result<bool, Undecided> {
        let word = match self.peek() {
            Some(b'n') => "null",
            Some(b'N') => "NaN",
            Some(b'I') => "Infinity",
            Some(b'-') if self.rest().get(1) == Some(&b'I') => "-Infinity",
            _ => return Ok(false),
        };
        self.expect_word(word).map(|()| true)
    }

    /// Takes a string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'de>, Undecided> {
        let start = self.at + 1;
        let mut has_escapes = false;
        let mut end = start;
        loop {
            let rest = self.text.as_bytes().get(end..).unwrap_or_default();
            end += special(rest).ok_or(Undecided)?;
            match self.text.as_bytes().get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    end += 2;
                }
                // A control character, which no string may have.
                _ => return Err(Undecided),
            }
        }
        self.at = end + 1;
        let raw = self.text.get(start..end).ok_or(Undecided)?;
        Ok(Text { raw, has_escapes })
    }

    /// Passes over digits; there must be one.
    #[inline]
    fn digits(&mut self) -> Result<(), Undecided> {
        let before = self.at;
        while let count @ 1.. = leading_digits(self.rest()) {
            self.at += count;
            if count < LANES {
                break;
            }
        }
        if self.at == before {
            Err(Undecided)
        } else {
            Ok(())
        }
    }

    /// Passes over a number; the range of its text, and whether it is a whole one.
    #[inline]
    fn number_text(&mut self) -> Result<(Range<usize>, bool), Undecided> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let first = self.at;
        self.digits()?;
        let leading_zero = self.text.as_bytes().get(first) == Some(&b'0') && self.at > first + 1;
        let mut whole = true;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            whole = false;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
            whole = false;
        }
        if leading_zero {
            return Err(Undecided);
        }
        Ok((start..self.at, whole))
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<Number, Undecided> {
        let (range, whole) = self.number_text()?;
        let text = self.text.get(range).ok_or(Undecided)?;
        if !whole {
            let value: f64 = text.parse().map_err(|_| Undecided)?;
            // serde_json refuses what no double can hold.
            return value
                .is_finite()
                .then_some(Number::Float(value))
                .ok_or(Undecided);
        }
        if let Ok(value) = text.parse() {
            return Ok(Number::Unsigned(value));
        }
        match text.parse() {
            Ok(value @ ..=-1) => Ok(Number::Negative(value)),
            _ => Err(Undecided),
        }
    }

    /// Passes over one value.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<(), Undecided> {
        if self.take_absent()? {
            return Ok(());
        }
        match self.byte() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => {
                let (mut state, mut depth) = (StringState::default(), 0);
                let (used, closed) = end_of_container(self.rest(), true, &mut state, &mut depth);
                self.at += used;
                closed.then_some(()).ok_or(Undecided)
            }
            Some(b't') => self.expect_word("true"),
            Some(b'f') => self.expect_word("false"),
            _ => self.number_text().map(|_| ()),
        }
    }
}

/// Position of the first byte that a string cannot simply have: a quote, a backslash, or a
/// control character.
#[inline]
fn special(text: &[u8]) -> Option<usize> {
    let (steps, tail) = text.as_chunks::<LANES>();
    let mut at = 0;
    let mut look = |step: &[u8; LANES]| {
        let bytes = u8x16::new(*step);
        let control = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
        let quote = bytes.simd_eq(u8x16::splat(b'"'));
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        let found = (control | quote | backslash).to_bitmask();
        let position = at + found.trailing_zeros() as usize;
        at += LANES;
        (found != 0).then_some(position)
    };
    if let Some(position) = steps.iter().find_map(&mut look) {
        return Some(position);
    }
    // Padded with what is not special.
    let mut step = [b' '; LANES];
    step.iter_mut()
        .zip(tail)
        .for_each(|(padded, byte)| *padded = *byte);
    look(&step)
}

/// How many digits `text` begins with, up to [`LANES`].
#[inline]
fn leading_digits(text: &[u8]) -> usize {
    let Some(step) = text.first_chunk::<LANES>() else {
        return text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    };
    let bytes = u8x16::new(*step);
    let digit = bytes.max(u8x16::splat(b'0')).min(u8x16::splat(b'9'));
    bytes.simd_eq(digit).to_bitmask().trailing_ones() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn special_bytes_are_found_where_they_are(text in "[ -~\u{e9}]{0,50}[\"\\\\\u{1}\u{1f}]?.{0,40}") {
            let plain = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
            prop_assert_eq!(special(text.as_bytes()), text.as_bytes().iter().position(plain));
        }

        #[test]
        fn digits_are_counted(text in "[0-9]{0,40}[/:a.]?[0-9]{0,9}") {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let counted = leading_digits(text.as_bytes());
            prop_assert_eq!(counted, if text.len() < LANES { digits } else { digits.min(LANES) });
        }
    }
}
