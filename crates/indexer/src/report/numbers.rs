//! How numbers are written on the page: all of them, here.

use guidellm_results_model::documents::Timestamp;

/// What stands for a figure that was not measured.
pub(super) const NOT_MEASURED: &str = "–";

/// Decimals that a column of numbers is written with, all of it, so that decimal points stand below
/// one another: three digits that count for the largest, two for the smallest.
pub(super) fn places(values: impl IntoIterator<Item = f64>) -> usize {
    let magnitudes = values.into_iter().map(f64::abs);
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for magnitude in magnitudes.filter(|it| it.is_finite() && *it > 0.0) {
        least = least.min(magnitude);
        most = most.max(magnitude);
    }
    if most == 0.0 {
        return 0;
    }
    let needed = |magnitude: f64, digits: f64| digits - 1.0 - magnitude.log10().floor();
    let decimals = needed(most, 3.0).max(needed(least, 2.0)).clamp(0.0, 4.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 4"
    )]
    let places = decimals as usize;
    places
}

/// A number with so many decimals: thousands apart, the minus sign a minus sign.
pub(super) fn fixed(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return NOT_MEASURED.to_owned();
    }
    let digits = format!("{:.places$}", value.abs());
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (digits.as_str(), None),
    };
    let mut text = String::new();
    // What is rounded to nothing has no sign.
    if value < 0.0 && digits.bytes().any(|it| matches!(it, b'1'..=b'9')) {
        text.push('−');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(decimals) = decimals {
        text.push('.');
        text.push_str(decimals);
    }
    text
}

/// A number that stands alone.
pub(super) fn alone(value: f64) -> String {
    trimmed(fixed(value, places([value])))
}

/// A mark of an axis whose marks are `step` apart.
pub(super) fn tick(value: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 6"
    )]
    let places = decimals as usize;
    fixed(value, places)
}

/// Without the zeros at the end that say nothing.
fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count.
pub(super) fn count(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fixed(count as f64, 0)
}

/// A share as a percentage. What is not quite all, or not quite nothing, is not written as if it were.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (99.995..100.0).contains(&percent) {
        return "> 99.99 %".to_owned();
    }
    if percent > 0.0 && percent < 0.005 {
        return "< 0.01 %".to_owned();
    }
    format!("{} %", trimmed(fixed(percent, 2)))
}

/// A relative change as a percentage, with its sign.
pub(super) fn change(ratio: f64) -> String {
    format!("{} %", signed(ratio * 100.0, 1))
}

/// A difference of two shares in percentage points, with its sign.
pub(super) fn points(difference: f64) -> String {
    format!("{} pp", signed(difference * 100.0, 2))
}

fn signed(value: f64, places: usize) -> String {
    let text = fixed(value, places);
    let rounded_away = !text.bytes().any(|it| matches!(it, b'1'..=b'9'));
    if value > 0.0 && !rounded_away {
        return format!("+{text}");
    }
    text
}

/// A span between two numbers.
pub(super) fn span(low: &str, high: &str) -> String {
    // The unit stands once.
    let low = match (low.strip_suffix(" %"), high.ends_with(" %")) {
        (Some(number), true) => number,
        _ => low,
    };
    // A dash beside a sign could be taken for one.
    if low.starts_with(['−', '+']) || high.starts_with(['−', '+']) {
        format!("{low} to {high}")
    } else {
        format!("{low}–{high}")
    }
}

/// An instant, to the second, as ISO 8601 has it.
pub(super) fn instant(instant: Timestamp) -> String {
    let text = instant.to_string();
    let seconds = text.split_once('.').map_or(&*text, |(seconds, _)| seconds);
    format!("{seconds}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_decimals_that_its_numbers_need() {
        assert_eq!(places([45_000.0, 12.0]), 0);
        assert_eq!(places([450.0, 120.0]), 0);
        assert_eq!(places([45.0, 12.0]), 1);
        assert_eq!(places([450.0, 0.3]), 2);
        assert_eq!(places([0.0, f64::NAN]), 0);
        assert_eq!(places([1e-9]), 4);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(fixed(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(fixed(-1234.0, 0), "−1,234");
        assert_eq!(fixed(123.0, 0), "123");
        assert_eq!(fixed(-0.001, 2), "0.00");
    }

    #[test]
    fn what_is_no_number_was_not_measured() {
        assert_eq!(fixed(f64::NAN, 1), "–");
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_99), "> 99.99 %");
        assert_eq!(percent(0.9876), "98.76 %");
        assert_eq!(percent(0.000_01), "< 0.01 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn changes_have_their_sign() {
        assert_eq!(change(0.0523), "+5.2 %");
        assert_eq!(change(-0.0523), "−5.2 %");
        assert_eq!(change(0.000_001), "0.0 %");
        assert_eq!(points(-0.01), "−1.00 pp");
    }

    #[test]
    fn a_span_of_signed_numbers_has_no_dash() {
        assert_eq!(span("1", "2"), "1–2");
        assert_eq!(span("−1", "2"), "−1 to 2");
        assert_eq!(span("98.2 %", "99 %"), "98.2–99 %");
    }

    #[test]
    fn instants_are_whole_seconds_in_utc() {
        let instant_ = Timestamp::from_epoch_seconds(1_758_671_946.125_779).unwrap();
        assert_eq!(instant(instant_), "2025-09-23T23:59:06Z");
    }

    proptest::proptest! {
        #[test]
        fn a_number_reads_back_to_its_last_digit(value in -1e9..1e9_f64, places in 0_usize..5) {
            let text = fixed(value, places).replace(',', "").replace('−', "-");
            let read: f64 = text.parse().unwrap();
            let half = 0.5 * 10_f64.powi(-i32::try_from(places).unwrap());
            proptest::prop_assert!((read - value).abs() <= half * 1.000_01, "{}", text);
        }
    }
}
