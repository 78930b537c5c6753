//! Values as a line of blocks.

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values as a line of blocks, of at most `width` characters: neighbours share one, as their mean.
/// The lowest block stands for `lowest`, or else for the smallest mean; what is NaN is left blank.
#[must_use]
pub fn sparkline(values: &[f64], lowest: Option<f64>, width: usize) -> String {
    let together = values.len().div_ceil(width.max(1)).max(1);
    #[expect(clippy::cast_precision_loss, reason = "values of a line are few")]
    let means = values
        .chunks(together)
        .map(|some| some.iter().sum::<f64>() / some.len() as f64);
    let means: Vec<f64> = means.collect();
    let most = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = means.iter().copied().fold(f64::INFINITY, f64::min);
    let least = lowest.unwrap_or(least);
    let spark = |mean: &f64| {
        if mean.is_nan() {
            return ' ';
        }
        let share = if most > least {
            (mean - least) / (most - least)
        } else if lowest.is_some() {
            0.0
        } else {
            0.5
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 7; below 0 is 0"
        )]
        let height = (share * 7.0).round() as usize;
        HEIGHTS.get(height).copied().unwrap_or(' ')
    };
    means.iter().map(spark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_whatever_there_is() {
        assert_eq!(sparkline(&[0.0, 3.5, 7.0], Some(0.0), 20), "▁▅█");
        assert_eq!(sparkline(&[100.0, 101.0], None, 20), "▁█");
        assert_eq!(sparkline(&[5.0, 5.0], None, 20), "▅▅");
        assert_eq!(sparkline(&[5.0, 5.0], Some(0.0), 20), "██");
        assert_eq!(sparkline(&[0.0, 0.0], Some(0.0), 20), "▁▁");
        assert_eq!(sparkline(&[], None, 20), "");
        assert_eq!(sparkline(&[1.0, f64::NAN, 2.0], None, 20), "▁ █");
        assert_eq!(
            sparkline(&vec![1.0; 3601], Some(0.0), 20).chars().count(),
            20
        );
    }
}
