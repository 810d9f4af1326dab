//! Dates and times, as days since 1970-01-01.

use std::fmt::Write;

/// The order of day and month where both are numbers and the year comes last, as in `1/2/2003`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DateOrder {
    /// The month comes first, as in the USA.
    MonthFirst,
    /// The day comes first, as in most of the world.
    DayFirst,
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    /// A whole number, and how many digits it has.
    Number(i64, usize),
    /// The name of a month, from 1.
    Month(i64),
    /// `Q` before a quarter, or `M` before a month.
    Quarter,
    MonthMark,
    /// One of `-`, `/`, `.`, `:`.
    Sign(char),
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What the dates of a column are, in days since 1970-01-01, and their order of day and month if it could be either.
pub(crate) fn all<'a>(
    words: impl Iterator<Item = &'a str> + Clone,
    order: Option<DateOrder>,
) -> Option<(Vec<f64>, bool)> {
    let with = |order| words.clone().map(|word| days(word, order)).collect::<Option<Vec<f64>>>();
    let found = |values: Option<Vec<f64>>| values.filter(|values| !values.is_empty());
    if let Some(order) = order {
        return found(with(order)).map(|values| (values, false));
    }
    let month_first = found(with(DateOrder::MonthFirst));
    let day_first = found(with(DateOrder::DayFirst));
    match (month_first, day_first) {
        (Some(month), Some(day)) => {
            let ambiguous = month != day;
            // A day before its month and points between them are one custom.
            let points = words
                .clone()
                .next()
                .is_some_and(|word| word.matches('.').count() >= 2 && !word.contains(':'));
            Some((if points { day } else { month }, ambiguous && !points))
        }
        (month, day) => month.or(day).map(|values| (values, false)),
    }
}

/// The days since 1970-01-01 of a date with or without a time, of a month, of a quarter; of a time alone the fraction of a day.
pub(crate) fn days(text: &str, order: DateOrder) -> Option<f64> {
    if text.len() > 48 || !text.is_ascii() || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = split_time(text);
    let fraction = match time {
        Some(time) => day_fraction(time)?,
        None => 0.0,
    };
    if date.is_empty() {
        return time.map(|_| fraction);
    }
    let (tokens, count) = tokens(date)?;
    Some(day_number(&tokens[..count], order)? as f64 + fraction)
}

/// The date and the time of a text: a time begins with one or two digits and a colon.
fn split_time(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    for (colon, _) in text.match_indices(':') {
        let start = (0..colon).rev().take_while(|&index| digit(index)).last();
        let Some(start) = start else { continue };
        if colon - start <= 2 && digit(colon + 1) && digit(colon + 2) {
            let before = text[..start].trim_end_matches([' ', 'T', 't', ',', '_']);
            return (before, Some(&text[start..]));
        }
    }
    (text, None)
}

/// The fraction of the day of `hh:mm`, `hh:mm:ss.f`, with `AM` or `PM`, and less the difference from UTC if it is given.
fn day_fraction(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, zone) = (&text[..end], text[end..].trim());
    let mut parts = clock.split(':');
    let mut hours: f64 = parts.next()?.parse().ok()?;
    let minutes: f64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().map_or(Some(0.0), |part| part.parse().ok())?;
    if parts.next().is_some() || hours > 24.0 || minutes >= 60.0 || seconds >= 61.0 {
        return None;
    }
    let zone = zone.to_ascii_lowercase();
    let zone = match zone.get(..2) {
        Some(half @ ("am" | "pm")) if (1.0..=12.0).contains(&hours) => {
            hours = hours % 12.0 + if half == "pm" { 12.0 } else { 0.0 };
            zone[2..].trim_start()
        }
        _ => zone.trim(),
    };
    let minutes = hours * 60.0 + minutes - offset_minutes(zone)?;
    Some((minutes * 60.0 + seconds) / 86_400.0)
}

/// The minutes by which a zone is ahead of UTC.
fn offset_minutes(zone: &str) -> Option<f64> {
    let sign = match zone.as_bytes() {
        [] => return Some(0.0),
        [b'+', ..] => 1.0,
        [b'-', ..] => -1.0,
        _ => return matches!(zone, "z" | "utc" | "gmt").then_some(0.0),
    };
    let digits: String = zone[1..].chars().filter(|&letter| letter != ':').collect();
    let number: u32 = digits.parse().ok().filter(|_| matches!(digits.len(), 2 | 4))?;
    let (hours, minutes) = if digits.len() == 2 { (number, 0) } else { (number / 100, number % 100) };
    (hours <= 14 && minutes < 60).then_some(sign * f64::from(hours * 60 + minutes))
}

/// The parts of a date, without a weekday, commas and blanks.
fn tokens(text: &str) -> Option<([Token; 8], usize)> {
    let mut tokens = [Token::Quarter; 8];
    let mut count = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let of = |kind: fn(char) -> bool| rest.find(|c| !kind(c)).unwrap_or(rest.len());
        let (length, token) = match first {
            '0'..='9' => {
                let length = of(|c| c.is_ascii_digit());
                let number = rest[..length].parse().ok().filter(|_| length <= 4)?;
                (length, Some(Token::Number(number, length)))
            }
            'a'..='z' | 'A'..='Z' => {
                let length = of(|c| c.is_ascii_alphabetic());
                let word = rest[..length].to_ascii_lowercase();
                (length, word_token(&word, count)?)
            }
            '-' | '/' | '.' | ':' => (1, Some(Token::Sign(first))),
            ' ' | ',' => (1, None),
            _ => return None,
        };
        if let Some(token) = token {
            *tokens.get_mut(count)? = token;
            count += 1;
        }
        rest = &rest[length..];
    }
    Some((tokens, count))
}

/// What a word in a date is, after `count` parts; nothing to keep for a weekday at its beginning or the `st` of `1st`.
fn word_token(word: &str, count: usize) -> Option<Option<Token>> {
    let begins = |name: &str| word.len() >= 3 && name.starts_with(word);
    if let Some(month) = MONTHS.iter().position(|name| begins(name)) {
        return Some(Some(Token::Month(month as i64 + 1)));
    }
    match word {
        "q" => Some(Some(Token::Quarter)),
        "m" => Some(Some(Token::MonthMark)),
        "sept" => Some(Some(Token::Month(9))),
        "st" | "nd" | "rd" | "th" if count > 0 => Some(None),
        _ if count == 0 && WEEKDAYS.iter().any(|name| begins(name)) => Some(None),
        _ => None,
    }
}

/// The days since 1970-01-01 of a date with these parts.
fn day_number(parts: &[Token], order: DateOrder) -> Option<i64> {
    use Token::{Month, MonthMark, Number, Quarter, Sign};
    let quarter = |year, quarter: i64| (1..=4).contains(&quarter).then(|| civil(year, quarter * 3 - 2, 1))?;
    match *parts {
        [Number(year, 4), Sign(a), Number(month, 1..=2), Sign(b), Number(day, 1..=2)]
            if a == b && a != ':' =>
        {
            civil(year, month, day)
        }
        [Number(year, 4), Sign('-' | '/'), Number(month, 2)] => civil(year, month, 1),
        [Number(month, 1..=2), Sign('/'), Number(year, 4)] => civil(year, month, 1),
        [Number(year, 4), Quarter, Number(of_year, 1)] => quarter(year, of_year),
        [Number(year, 4), Sign(_), Quarter, Number(of_year, 1)] => quarter(year, of_year),
        [Quarter, Number(of_year, 1), Number(year, 4)] => quarter(year, of_year),
        [Quarter, Number(of_year, 1), Sign('-' | '/'), Number(year, 4)] => quarter(year, of_year),
        // As in `1950:1`: of a quarter.
        [Number(year, 4), Sign(':'), Number(of_year, 1)] => quarter(year, of_year),
        [Number(year, 4), MonthMark, Number(month, 1..=2)] => civil(year, month, 1),
        [Number(first, 1..=2), Sign(a), Number(second, 1..=2), Sign(b), Number(year, digits @ (2 | 4))]
            if a == b && a != ':' =>
        {
            let (month, day) = match order {
                DateOrder::MonthFirst => (first, second),
                DateOrder::DayFirst => (second, first),
            };
            civil(full_year(year, digits), month, day)
        }
        [Month(month), Number(day, 1..=2), Number(year, 4)]
        | [Number(day, 1..=2), Month(month), Number(year, 4)]
        | [Month(month), Sign('-' | '/'), Number(day, 1..=2), Sign('-' | '/'), Number(year, 4)]
        | [Number(year, 4), Sign('-' | '/'), Month(month), Sign('-' | '/'), Number(day, 1..=2)]
        | [Month(month), Sign('.'), Number(day, 1..=2), Number(year, 4)]
        | [Number(day, 1..=2), Sign('.'), Month(month), Number(year, 4)] => civil(year, month, day),
        [
            Number(day, 1..=2),
            Sign('-' | '/'),
            Month(month),
            Sign('-' | '/'),
            Number(year, digits @ (2 | 4)),
        ] => civil(full_year(year, digits), month, day),
        [Month(month), Number(year, 4)]
        | [Month(month), Sign('-' | '/'), Number(year, 4)]
        | [Number(year, 4), Month(month)]
        | [Number(year, 4), Sign('-' | '/'), Month(month)] => civil(year, month, 1),
        [Month(month), Sign('-'), Number(year, 2)] => civil(full_year(year, 2), month, 1),
        _ => None,
    }
}

/// Two digits mean a year from 1969 to 2068, as in POSIX.
fn full_year(year: i64, digits: usize) -> i64 {
    match (digits, year) {
        (2, 69..) => year + 1900,
        (2, _) => year + 2000,
        _ => year,
    }
}

/// The days since 1970-01-01 in the Gregorian calendar, if there is such a day.
///
/// A year is counted from March, so that the leap day is its last; 400 years have 146 097 days.
fn civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || year == 0 {
        return None;
    }
    let from_march = (month + 9) % 12;
    let years = if month <= 2 { year - 1 } else { year };
    let days = years * 365 + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    Some(days + (153 * from_march + 2) / 5 + day - 1 - 719_468)
}

/// The date of a number of days since 1970-01-01, such as `1959-01-01` or `2012-01-01 13:30:00`.
pub fn date_text(days: f64) -> String {
    if !(-4e6..4e6).contains(&days) {
        return days.to_string();
    }
    let seconds = (days * 86_400.0).round() as i64;
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // From the first of March of the year 0.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = format!("{year:04}-{month:02}-{date:02}");
    if second != 0 {
        let _ = write!(text, " {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: &str) -> Option<String> {
        days(word, DateOrder::MonthFirst).map(date_text)
    }

    #[test]
    fn every_form_of_a_date() {
        for (word, expected) in [
            ("1959-01-01", "1959-01-01"),
            ("2012-01-01 00:00:00", "2012-01-01"),
            ("2010/01/01 06:30", "2010-01-01 06:30:00"),
            ("2010-01-01T23:59:59.000Z", "2010-01-01 23:59:59"),
            ("2010-01-01 00:30:00+01:00", "2009-12-31 23:30:00"),
            ("2010-01-01 00:30 -0200", "2010-01-01 02:30:00"),
            ("1/1/85", "1985-01-01"),
            ("12/31/2003 11:59 PM", "2003-12-31 23:59:00"),
            ("1974Q1", "1974-01-01"),
            ("1960q4", "1960-10-01"),
            ("1960m11", "1960-11-01"),
            ("1974-Q2", "1974-04-01"),
            ("Q3 2001", "2001-07-01"),
            ("1950:4", "1950-10-01"),
            ("Jan-1-1995", "1995-01-01"),
            ("Feb 29 2000", "2000-02-29"),
            ("December 25, 1999", "1999-12-25"),
            ("3rd March 2021", "2021-03-03"),
            ("25-DEC-99", "1999-12-25"),
            ("1 Jan 2000", "2000-01-01"),
            ("Sept 2011", "2011-09-01"),
            ("2000-Jun", "2000-06-01"),
            ("Jan-95", "1995-01-01"),
            ("2001-07", "2001-07-01"),
            ("7/2001", "2001-07-01"),
            ("Mon, 01 Jan 2001 10:00:00 GMT", "2001-01-01 10:00:00"),
            ("1600-02-29", "1600-02-29"),
            ("0001-01-01", "0001-01-01"),
            ("9999-12-31", "9999-12-31"),
            ("12:00", "1970-01-01 12:00:00"),
        ] {
            assert_eq!(text(word).as_deref(), Some(expected), "{word}");
        }
        for none in [
            "1959-13-01",
            "1900-02-29",
            "2001-02-30",
            "1950",
            "19580329",
            "1950:5",
            "12:60",
            "1.2",
            "1-2",
            "a 1",
            "Q5 2001",
            "00M",
            "3rd",
            "May",
            "2010-01-01 25:00",
            "1/2",
            "-1-1-2000",
            "2000-01-01-",
            "",
            "12345-01-01",
            "1:2:3",
        ] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_is_written_as_it_is_read() {
        let first = days("1600-01-01", DateOrder::MonthFirst).unwrap();
        let last = days("2400-12-31", DateOrder::MonthFirst).unwrap();
        assert_eq!(last - first, 146_097.0 * 2.0 + 365.0);
        for step in 0..=(last - first) as i64 {
            let day = first + step as f64;
            assert_eq!(days(&date_text(day), DateOrder::DayFirst), Some(day));
        }
        assert_eq!(days("1970-01-01", DateOrder::DayFirst), Some(0.0));
        assert_eq!(days("2000-03-01", DateOrder::DayFirst), Some(11_017.0));
    }

    #[test]
    fn the_order_of_day_and_month() {
        let of = |words: &[&str], order| all(words.iter().copied(), order);
        let (values, ambiguous) = of(&["1/2/2000", "3/4/2000"], None).unwrap();
        assert_eq!((date_text(values[0]), ambiguous), ("2000-01-02".into(), true));
        let (values, ambiguous) = of(&["1/2/2000", "13/4/2000"], None).unwrap();
        assert_eq!((date_text(values[0]), ambiguous), ("2000-02-01".into(), false));
        let (values, ambiguous) = of(&["01.02.2000"], None).unwrap();
        assert_eq!((date_text(values[0]), ambiguous), ("2000-02-01".into(), false));
        let (values, _) = of(&["1/2/2000"], Some(DateOrder::DayFirst)).unwrap();
        assert_eq!(date_text(values[0]), "2000-02-01");
        assert_eq!(of(&["13/13/2000"], None), None);
        assert_eq!(of(&[], None), None);
    }
}
