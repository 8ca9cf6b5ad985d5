//! Time as criteria mean it, by the days that clocks show and not by their limits: another way to the
//! same answer than the program's.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use kontor::{
    crm::criteria::{Operator, Setting, TimeUnit},
    team::Weekday,
};

/// A day, or a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point {
    Day(NaiveDate),
    Moment(DateTime<Utc>),
}

impl Point {
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(
            |_| {
                let at = DateTime::parse_from_rfc3339(text).expect("a time");
                Self::Moment(at.to_utc().trunc_subsecs(6))
            },
            Self::Day,
        )
    }

    /// The day on the workspace's calendar; a day is that day everywhere.
    pub fn day(self, zone: Tz) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Moment(at) => at.with_timezone(&zone).date_naive(),
        }
    }
}

/// Whether the value stands so to the points that were named.
pub fn compared(op: Operator, value: Point, asked: &[Point], zone: Tz) -> bool {
    match op {
        Operator::On => same(value, asked[0], zone),
        Operator::Before => before(value, asked[0], zone),
        Operator::After => before(asked[0], value, zone),
        Operator::OnOrBefore => at_most(value, asked[0], zone),
        Operator::OnOrAfter => at_most(asked[0], value, zone),
        Operator::Between => at_most(asked[0], value, zone) && at_most(value, asked[1], zone),
        _ => panic!("{op:?}"),
    }
}

/// Moments are the same to the millisecond: that is how finely people see them.
fn same(value: Point, asked: Point, zone: Tz) -> bool {
    match (value, asked) {
        (Point::Moment(one), Point::Moment(two)) => one.trunc_subsecs(3) == two.trunc_subsecs(3),
        _ => value.day(zone) == asked.day(zone),
    }
}

fn before(one: Point, two: Point, zone: Tz) -> bool {
    match (one, two) {
        (Point::Moment(one), Point::Moment(two)) => one < two,
        _ => one.day(zone) < two.day(zone),
    }
}

fn at_most(one: Point, two: Point, zone: Tz) -> bool {
    match (one, two) {
        (Point::Moment(one), Point::Moment(two)) => one <= two,
        _ => one.day(zone) <= two.day(zone),
    }
}

/// The same for two fields, where `ON` is the same day and so `ON_OR_BEFORE` is before or on it.
pub fn fields_compared(op: Operator, one: Point, two: Point, zone: Tz) -> bool {
    let same_day = one.day(zone) == two.day(zone);
    match op {
        Operator::On => same_day,
        Operator::Before => before(one, two, zone),
        Operator::After => before(two, one, zone),
        Operator::OnOrBefore => same_day || before(one, two, zone),
        Operator::OnOrAfter => same_day || before(two, one, zone),
        _ => panic!("{op:?}"),
    }
}

/// What moves with the clock.
pub fn relative(op: Operator, value: Point, count: u32, unit: Option<TimeUnit>, setting: &Setting) -> bool {
    let now = setting.now.trunc_subsecs(6);
    let today = now.with_timezone(&setting.zone).date_naive();
    let day = value.day(setting.zone);
    let away = |days: i64| (day - today).num_days() == days;
    match op {
        Operator::Today => away(0),
        Operator::Yesterday => away(-1),
        Operator::Tomorrow => away(1),
        Operator::InPast => match value {
            Point::Day(day) => day < today,
            Point::Moment(at) => at <= now,
        },
        Operator::InFuture => match value {
            Point::Day(day) => day > today,
            Point::Moment(at) => at > now,
        },
        Operator::This => index(day, unit, setting) == index(today, unit, setting),
        Operator::Last => index(day, unit, setting) == index(today, unit, setting) - 1,
        Operator::Next => index(day, unit, setting) == index(today, unit, setting) + 1,
        Operator::AnniversaryInNext => (0..count).any(|ahead| {
            let day_then = today + Days::new(u64::from(ahead));
            let stands_in = (day_then.month(), day_then.day()) == (3, 1) && !day_then.leap_year();
            (day.month(), day.day()) == (day_then.month(), day_then.day())
                || stands_in && (day.month(), day.day()) == (2, 29)
        }),
        _ => {
            let unit = unit.expect("a unit");
            match value {
                Point::Day(day) => {
                    span(op, day, today, moved_day(today, count, unit, -1), moved_day(today, count, unit, 1))
                }
                Point::Moment(at) => {
                    let limit = |way| moved(now, count, unit, way, setting.zone);
                    match op {
                        Operator::InLast | Operator::LessThanAgo => limit(-1) < at && at <= now,
                        Operator::MoreThanAgo => at <= limit(-1),
                        Operator::InNext => now < at && at <= limit(1),
                        Operator::MoreThanAhead => limit(1) < at,
                        _ => panic!("{op:?}"),
                    }
                }
            }
        }
    }
}

/// Of days, today is one of the span's.
fn span(op: Operator, day: NaiveDate, today: NaiveDate, back: NaiveDate, ahead: NaiveDate) -> bool {
    match op {
        Operator::InLast | Operator::LessThanAgo => back < day && day <= today,
        Operator::MoreThanAgo => day <= back,
        Operator::InNext => today <= day && day < ahead,
        Operator::MoreThanAhead => ahead <= day,
        _ => panic!("{op:?}"),
    }
}

/// The number of the calendar unit that a day is in.
fn index(day: NaiveDate, unit: Option<TimeUnit>, setting: &Setting) -> i64 {
    let months = i64::from(day.year()) * 12 + i64::from(day.month0());
    match unit.expect("a unit") {
        TimeUnit::Month => months,
        TimeUnit::Quarter => months.div_euclid(3),
        TimeUnit::Year => i64::from(day.year()),
        TimeUnit::Week => {
            let first = Weekday::ALL.iter().position(|day| *day == setting.week_start).expect("a day");
            // a Monday
            let monday: NaiveDate = "0001-01-01".parse().expect("a day");
            ((day - monday).num_days() - i64::try_from(first).expect("small")).div_euclid(7)
        }
        unit => panic!("{unit:?}"),
    }
}

fn moved_day(day: NaiveDate, count: u32, unit: TimeUnit, way: i32) -> NaiveDate {
    let months = |each: u32| {
        let by = Months::new(count * each);
        if way < 0 { day - by } else { day + by }
    };
    let days = |each: i64| day + TimeDelta::days(i64::from(count) * each * i64::from(way));
    match unit {
        TimeUnit::Day => days(1),
        TimeUnit::Week => days(7),
        // the day of the month, or its last
        TimeUnit::Month => months(1),
        TimeUnit::Quarter => months(3),
        TimeUnit::Year => months(12),
        TimeUnit::Minute | TimeUnit::Hour => panic!("days have none"),
    }
}

/// Up to weeks so many seconds; longer units by the calendar, at the same time of day.
pub fn moved(at: DateTime<Utc>, count: u32, unit: TimeUnit, way: i32, zone: Tz) -> DateTime<Utc> {
    let seconds = match unit {
        TimeUnit::Minute => 60,
        TimeUnit::Hour => 60 * 60,
        TimeUnit::Day => 24 * 60 * 60,
        TimeUnit::Week => 7 * 24 * 60 * 60,
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
            let local = at.with_timezone(&zone).naive_local();
            return shown(moved_day(local.date(), count, unit, way).and_time(local.time()), zone);
        }
    };
    at + TimeDelta::seconds(i64::from(count) * seconds * i64::from(way))
}

/// When clocks show this for the first time; where they skip it, when they have skipped it.
fn shown(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let near = |minutes: i64| local.and_utc() + TimeDelta::minutes(minutes);
    let shows = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
    // no zone is further than that from UTC
    let minutes = -15 * 60..=15 * 60;
    let offsets = minutes.clone().step_by(15).map(|away| shows(near(away)) - near(away).naive_utc());
    let found = offsets.map(|offset| (local - offset).and_utc()).filter(|at| shows(*at) == local).min();
    found.unwrap_or_else(|| {
        let minute =
            |at: DateTime<Utc>| at.trunc_subsecs(0) - TimeDelta::seconds(i64::from(chrono::Timelike::second(&at)));
        minutes.map(|away| minute(near(away))).find(|at| shows(*at) > local).expect("time goes on")
    })
}
