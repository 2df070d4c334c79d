//! What was measured: a row for each promise, printed as a table and written as JSON.

use std::time::Duration;

use serde::Serialize;

/// One promise and how it was kept.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The unit of `ours` and `against`.
    pub unit: &'static str,
    /// Our figure.
    pub ours: f64,
    /// The figure it is held against.
    pub against: f64,
    /// What that is.
    pub against_name: String,
    /// `ours / against`
    pub ratio: f64,
    /// The promise, in words.
    pub goal: String,
    /// Whether it was kept.
    pub met: bool,
}

/// A promise.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// The ratio is below this, or at it.
    AtMost(f64),
    /// The ratio is below this.
    Below(f64),
    /// The ratio is above this, or at it.
    AtLeast(f64),
    /// Ours is greater by this at most, in the row's unit.
    Within(f64),
}

impl Row {
    /// Holds a figure against another one.
    pub fn new(name: &str, unit: &'static str, ours: f64, against: f64, against_name: &str, goal: Goal) -> Self {
        let ratio = ours / against;
        let (goal, met) = match goal {
            Goal::AtMost(most) => (format!("at most {most} x"), ratio <= most),
            Goal::Below(most) => (format!("below {most} x"), ratio < most),
            Goal::AtLeast(least) => (format!("at least {least} x"), ratio >= least),
            Goal::Within(more) => (format!("at most {more} {unit} more"), ours - against <= more),
        };
        Self { name: name.to_owned(), unit, ours, against, against_name: against_name.to_owned(), ratio, goal, met }
    }
}

/// Prints the rows as a table.
pub fn print(rows: &[Row]) {
    let line = |cells: [&str; 8]| {
        let [name, ours, unit, against, of, ratio, goal, met] = cells;
        println!("{name:<20} {ours:>10} {unit:<6} {against:>10} {ratio:>7}  {goal:<20} {met:<4} {of}");
    };
    line(["", "ours", "", "against", "against what", "ratio", "goal", "met"]);
    for row in rows {
        let met = if row.met { "yes" } else { "NO" };
        let number = |n: f64| if n < 100.0 { format!("{n:.3}") } else { format!("{n:.0}") };
        let (ours, against, ratio) = (number(row.ours), number(row.against), format!("{:.3}", row.ratio));
        line([&row.name, &ours, row.unit, &against, &row.against_name, &ratio, &row.goal, met]);
    }
}

/// A quantile between 0 and 1, by the nearest rank; 0 of nothing.
pub fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let rank = (at * count).ceil().max(1.0) as usize - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

/// The median; between the two middle ones where they are two.
pub fn median(values: &[f64]) -> f64 {
    let lower = quantile(values, 0.5);
    let upper = values.iter().copied().filter(|v| *v > lower).fold(f64::INFINITY, f64::min);
    let has_middle = values.len() % 2 == 1 || values.iter().filter(|v| **v <= lower).count() > values.len() / 2;
    if has_middle || !upper.is_finite() { lower } else { f64::midpoint(lower, upper) }
}

/// Milliseconds, with their fractions.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values_and_medians_lie_in_the_middle() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!((quantile(&ten, 0.95), quantile(&ten, 0.5), median(&ten)), (10.0, 5.0, 5.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[1.0, 1.0, 1.0, 9.0]), 1.0);
    }

    #[test]
    fn a_promise_is_about_the_ratio_or_the_difference() {
        assert!(Row::new("a", "ms", 16.0, 10.0, "b", Goal::AtMost(1.6)).met);
        assert!(!Row::new("a", "ms", 10.0, 10.0, "b", Goal::Below(1.0)).met);
        assert!(Row::new("a", "1/s", 8.0, 10.0, "b", Goal::AtLeast(0.8)).met);
        assert!(!Row::new("a", "ms", 0.4, 0.1, "b", Goal::Within(0.2)).met);
    }
}
