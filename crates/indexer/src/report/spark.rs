//! A series in one line of text.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A series as block characters, one a value: lowest for the smallest, highest for the largest. A
/// value that is not finite is a blank; what does not change is drawn low.
#[must_use]
pub fn spark(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|it| it.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let span = finite().fold(f64::NEG_INFINITY, f64::max) - low;
    let block = |&value: &f64| {
        if !value.is_finite() {
            return ' ';
        }
        let height = if span > 0.0 {
            (value - low) / span * 7.0
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 7"
        )]
        let place = height.round() as usize;
        BLOCKS.get(place).copied().unwrap_or(' ')
    };
    values.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_the_lowest_and_the_highest_block() {
        assert_eq!(spark(&[1.0, 8.0, 4.5, 1.0]), "▁█▅▁");
    }

    #[test]
    fn what_does_not_change_is_flat() {
        assert_eq!(spark(&[3.0, 3.0]), "▁▁");
        assert_eq!(spark(&[]), "");
    }

    #[test]
    fn what_was_not_measured_is_a_gap() {
        assert_eq!(spark(&[0.0, f64::NAN, 1.0, f64::INFINITY]), "▁ █ ");
    }

    proptest::proptest! {
        #[test]
        fn a_value_is_a_character_and_order_is_kept(values: Vec<f64>) {
            let line: Vec<char> = spark(&values).chars().collect();
            proptest::prop_assert_eq!(line.len(), values.len());
            for (one, first) in values.iter().zip(&line) {
                for (other, second) in values.iter().zip(&line) {
                    let finite = one.is_finite() && other.is_finite();
                    proptest::prop_assert!(!finite || one > other || first <= second);
                }
            }
        }
    }
}
