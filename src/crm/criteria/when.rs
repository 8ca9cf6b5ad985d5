//! Time in criteria: what "today", "this week" or "in the last 3 months" are at a moment, in a zone,
//! as half-open ranges of instants. Days begin where the zone's clocks show midnight, or, where they
//! skip it, with the first moment after.

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use super::tree::TimeUnit;
use crate::{base::ids::UserId, team::Weekday};

/// What the answer depends on besides the records.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub now: DateTime<Utc>,
    /// The workspace's.
    pub zone: Tz,
    pub week_start: Weekday,
    /// Who asks, or whose criteria are kept.
    pub me: Option<UserId>,
    pub visible: Visible,
}

/// What of the related records may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visible {
    /// Only leads that are this person's or nobody's.
    pub leads_of: Option<UserId>,
    /// Only lists that this person sees.
    pub lists_of: Option<UserId>,
    /// Only lists whose members are chosen.
    pub chosen_lists: bool,
}

impl Setting {
    pub fn new(now: DateTime<Utc>, zone: Tz, week_start: Weekday) -> Self {
        Self { now, zone, week_start, me: None, visible: Visible::default() }
    }

    /// For criteria that are kept: they are asked for whoever made them, and tell of no list that this
    /// person does not see. Of dynamic lists they count none: whoever was in no list, and so came into
    /// this one, would have to leave it again, and so on for ever.
    pub fn kept_by(self, user: UserId) -> Self {
        let visible = Visible { leads_of: None, lists_of: Some(user), chosen_lists: true };
        Self { me: Some(user), visible, ..self }
    }

    pub fn at(&self, now: DateTime<Utc>) -> Self {
        Self { now, ..self.clone() }
    }

    pub fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }

    /// To the microsecond, as the database has it.
    fn moment(&self) -> DateTime<Utc> {
        self.now.trunc_subsecs(6)
    }
}

/// From the first, inclusive, to the second, exclusive; none: without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// A day or a moment, as a value names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Day(NaiveDate),
    Moment(DateTime<Utc>),
}

/// So many units of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub count: u32,
    pub unit: TimeUnit,
}

/// A stretch of time that a date or an instant is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    On(Point),
    Before(Point),
    After(Point),
    OnOrBefore(Point),
    OnOrAfter(Point),
    Between(Point, Point),
    /// Days from today: 0 is today, -1 yesterday.
    Day(i64),
    Past,
    Future,
    InLast(Span),
    InNext(Span),
    MoreThanAgo(Span),
    MoreThanAhead(Span),
    /// Calendar units from the present one.
    Calendar(i32, TimeUnit),
}

impl Stretch {
    /// Whether it moves with the clock.
    pub fn is_relative(self) -> bool {
        !matches!(
            self,
            Self::On(_)
                | Self::Before(_)
                | Self::After(_)
                | Self::OnOrBefore(_)
                | Self::OnOrAfter(_)
                | Self::Between(..)
        )
    }

    /// For instants.
    pub fn instants(self, setting: &Setting) -> Range {
        let start = |day| start_of_day(day, setting.zone);
        let next = |day: NaiveDate| start(after(day, 1));
        let moment = setting.moment();
        let past = tick(moment);
        match self {
            Self::On(Point::Day(day)) => range(start(day), next(day)),
            // to the millisecond: that is how finely the faces print it
            Self::On(Point::Moment(at)) => {
                let at = at.trunc_subsecs(3);
                range(at, at + TimeDelta::milliseconds(1))
            }
            Self::Before(Point::Day(day)) => until(start(day)),
            Self::Before(Point::Moment(at)) => until(at),
            Self::After(Point::Day(day)) => since(next(day)),
            Self::After(Point::Moment(at)) => since(tick(at)),
            Self::OnOrBefore(point) => until(end(point, setting.zone)),
            Self::OnOrAfter(point) => since(begin(point, setting.zone)),
            Self::Between(from, to) => range(begin(from, setting.zone), end(to, setting.zone)),
            Self::Day(days) => {
                let day = after(setting.today(), days);
                range(start(day), next(day))
            }
            Self::Past => until(past),
            Self::Future => since(past),
            Self::InLast(span) => range(tick(moved(moment, span, -1, setting.zone)), past),
            Self::InNext(span) => range(past, tick(moved(moment, span, 1, setting.zone))),
            Self::MoreThanAgo(span) => until(tick(moved(moment, span, -1, setting.zone))),
            Self::MoreThanAhead(span) => since(tick(moved(moment, span, 1, setting.zone))),
            Self::Calendar(steps, unit) => {
                let (first, end) = calendar(setting.today(), steps, unit, setting.week_start);
                range(start(first), start(end))
            }
        }
    }

    /// For calendar days, each taken as its midnight in UTC. Spans count days: "in the last 7 days" is
    /// today and the six before, "in the next 7 days" today and the six after.
    pub fn days(self, setting: &Setting) -> Range {
        let today = setting.today();
        let local = |point| match point {
            Point::Day(day) => day,
            Point::Moment(at) => at.with_timezone(&setting.zone).date_naive(),
        };
        let (from, to) = match self {
            Self::On(point) => (Some(local(point)), Some(after(local(point), 1))),
            Self::Before(point) => (None, Some(local(point))),
            Self::After(point) => (Some(after(local(point), 1)), None),
            Self::OnOrBefore(point) => (None, Some(after(local(point), 1))),
            Self::OnOrAfter(point) => (Some(local(point)), None),
            Self::Between(from, to) => (Some(local(from)), Some(after(local(to), 1))),
            Self::Day(days) => (Some(after(today, days)), Some(after(today, days + 1))),
            Self::Past => (None, Some(today)),
            Self::Future => (Some(after(today, 1)), None),
            Self::InLast(span) => (Some(after(moved_day(today, span, -1), 1)), Some(after(today, 1))),
            Self::InNext(span) => (Some(today), Some(moved_day(today, span, 1))),
            Self::MoreThanAgo(span) => (None, Some(after(moved_day(today, span, -1), 1))),
            Self::MoreThanAhead(span) => (Some(moved_day(today, span, 1)), None),
            Self::Calendar(steps, unit) => {
                let (first, end) = calendar(today, steps, unit, setting.week_start);
                (Some(first), Some(end))
            }
        };
        Range { from: from.map(midnight), to: to.map(midnight) }
    }
}

/// Which days of the year, as month times 100 plus day, come within so many days from today on. The
/// 29th of February counts on the 1st of March in common years.
pub fn anniversaries(days: u32, setting: &Setting) -> Vec<i32> {
    let today = setting.today();
    let mut found = Vec::new();
    // a year has them all
    for ahead in 0..days.min(366) {
        let day = after(today, i64::from(ahead));
        let number = |month: u32, day: u32| i32::try_from(month * 100 + day).unwrap_or_default();
        found.push(number(day.month(), day.day()));
        if (day.month(), day.day()) == (3, 1) && !day.leap_year() {
            found.push(number(2, 29));
        }
    }
    // a year of days that has no 29th of February has a 1st of March
    found.sort_unstable();
    found.dedup();
    found
}

/// The limits of a span that ends, or begins, now.
pub fn last(span: Span, setting: &Setting) -> Range {
    Stretch::InLast(span).instants(setting)
}

/// The first moment of a day in a zone.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    to_utc(day.and_time(NaiveTime::MIN), zone)
}

/// The moment when clocks show this, the earlier one if they do so twice; if they skip it, the first
/// moment behind what they skip.
fn to_utc(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    // no zone has ever skipped more than a day
    for minutes in 0..=(26 * 60) {
        let probe = local + TimeDelta::minutes(minutes);
        // what is skipped ends at a full minute
        let probe = if minutes == 0 { probe } else { probe.trunc_subsecs(0) - TimeDelta::seconds(second(probe)) };
        if let Some(found) = zone.from_local_datetime(&probe).earliest() {
            return found.to_utc();
        }
    }
    local.and_utc()
}

fn second(time: NaiveDateTime) -> i64 {
    i64::from(chrono::Timelike::second(&time))
}

fn begin(point: Point, zone: Tz) -> DateTime<Utc> {
    match point {
        Point::Day(day) => start_of_day(day, zone),
        Point::Moment(at) => at,
    }
}

fn end(point: Point, zone: Tz) -> DateTime<Utc> {
    match point {
        Point::Day(day) => start_of_day(after(day, 1), zone),
        Point::Moment(at) => tick(at),
    }
}

/// Minutes to weeks are spans of so many seconds; months and longer ones keep the day of the month,
/// or take the month's last, and the time of day.
fn moved(at: DateTime<Utc>, span: Span, way: i64, zone: Tz) -> DateTime<Utc> {
    let count = i64::from(span.count) * way;
    let seconds = match span.unit {
        TimeUnit::Minute => 60,
        TimeUnit::Hour => 3_600,
        TimeUnit::Day => 86_400,
        TimeUnit::Week => 7 * 86_400,
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
            let local = at.with_timezone(&zone).naive_local();
            return to_utc(moved_day(local.date(), span, way).and_time(local.time()), zone);
        }
    };
    at + TimeDelta::seconds(count * seconds)
}

fn moved_day(day: NaiveDate, span: Span, way: i64) -> NaiveDate {
    let months = |each: u32| {
        let months = Months::new(span.count.saturating_mul(each));
        let moved = if way < 0 { day.checked_sub_months(months) } else { day.checked_add_months(months) };
        moved.unwrap_or(day)
    };
    match span.unit {
        TimeUnit::Month => months(1),
        TimeUnit::Quarter => months(3),
        TimeUnit::Year => months(12),
        TimeUnit::Week => after(day, i64::from(span.count) * 7 * way),
        // a day has no parts
        TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => after(day, i64::from(span.count) * way),
    }
}

/// The first day of the calendar unit that is so many steps from the day's, and the day behind it.
fn calendar(day: NaiveDate, steps: i32, unit: TimeUnit, week_start: Weekday) -> (NaiveDate, NaiveDate) {
    let shifted = |first: NaiveDate, months: i32| {
        let by = Months::new(months.unsigned_abs());
        (if months < 0 { first.checked_sub_months(by) } else { first.checked_add_months(by) }).unwrap_or(first)
    };
    let of_months = |months: i32| {
        let first = day.month0() - day.month0() % months.unsigned_abs();
        let first = NaiveDate::from_ymd_opt(day.year(), first + 1, 1).unwrap_or(day);
        (shifted(first, steps * months), shifted(first, (steps + 1) * months))
    };
    match unit {
        TimeUnit::Month => of_months(1),
        TimeUnit::Quarter => of_months(3),
        TimeUnit::Year => of_months(12),
        TimeUnit::Week => {
            let into = (7 + day.weekday().num_days_from_monday() - days_from_monday(week_start)) % 7;
            let first = after(day, i64::from(steps) * 7 - i64::from(into));
            (first, after(first, 7))
        }
        TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => {
            (after(day, i64::from(steps)), after(day, i64::from(steps) + 1))
        }
    }
}

fn days_from_monday(day: Weekday) -> u32 {
    Weekday::ALL.iter().position(|known| *known == day).and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

fn after(day: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    (if days < 0 { day.checked_sub_days(by) } else { day.checked_add_days(by) }).unwrap_or(day)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The next moment that the database can tell from this one.
fn tick(at: DateTime<Utc>) -> DateTime<Utc> {
    at + TimeDelta::microseconds(1)
}

fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> Range {
    Range { from: Some(from), to: Some(to) }
}

fn since(from: DateTime<Utc>) -> Range {
    Range { from: Some(from), to: None }
}

fn until(to: DateTime<Utc>) -> Range {
    Range { from: None, to: Some(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn in_zone(now: &str, zone: Tz) -> Setting {
        Setting::new(at(now), zone, Weekday::Monday)
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let berlin = in_zone("2026-03-29T12:00:00Z", Tz::Europe__Berlin);
        // the clocks go forward: a day of 23 hours
        assert_eq!(Stretch::Day(0).instants(&berlin), range(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")));
        // at 00:00 they go to 01:00
        assert_eq!(start_of_day(day("2018-11-04"), Tz::America__Sao_Paulo), at("2018-11-04T03:00:00Z"));
        // they go back from 01:00 to 00:00: the first of the two midnights
        assert_eq!(start_of_day(day("2025-11-02"), Tz::America__Havana), at("2025-11-02T04:00:00Z"));
        // a day that never was has no moment
        let samoa = in_zone("2026-01-01T00:00:00Z", Tz::Pacific__Apia);
        let skipped = Stretch::On(Point::Day(day("2011-12-30"))).instants(&samoa);
        assert_eq!(skipped.from, skipped.to);
    }

    #[test]
    fn weeks_start_where_the_workspace_says() {
        let mut setting = in_zone("2026-01-28T12:00:00Z", Tz::UTC);
        let this = Stretch::Calendar(0, TimeUnit::Week);
        assert_eq!(this.instants(&setting), range(at("2026-01-26T00:00:00Z"), at("2026-02-02T00:00:00Z")));
        setting.week_start = Weekday::Sunday;
        assert_eq!(this.instants(&setting), range(at("2026-01-25T00:00:00Z"), at("2026-02-01T00:00:00Z")));
        setting.week_start = Weekday::Thursday;
        assert_eq!(this.days(&setting), range(at("2026-01-22T00:00:00Z"), at("2026-01-29T00:00:00Z")));
    }

    #[test]
    fn quarters_and_years_reach_over_their_ends() {
        let setting = in_zone("2026-02-10T12:00:00Z", Tz::UTC);
        let days = |steps, unit| Stretch::Calendar(steps, unit).days(&setting);
        assert_eq!(days(-1, TimeUnit::Quarter), range(at("2025-10-01T00:00:00Z"), at("2026-01-01T00:00:00Z")));
        assert_eq!(days(1, TimeUnit::Month), range(at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z")));
        assert_eq!(days(-1, TimeUnit::Year), range(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn a_week_is_so_many_hours_and_a_month_is_none() {
        let berlin = in_zone("2026-03-31T10:00:00Z", Tz::Europe__Berlin);
        let last = |count, unit| Stretch::InLast(Span { count, unit }).instants(&berlin).from;
        assert_eq!(last(7, TimeUnit::Day), Some(tick(at("2026-03-24T10:00:00Z"))));
        // noon by the clock on the last day of February, in winter time
        assert_eq!(last(1, TimeUnit::Month), Some(tick(at("2026-02-28T11:00:00Z"))));
    }

    #[test]
    fn who_was_born_on_a_leap_day_has_a_birthday_each_year() {
        let common = in_zone("2026-02-28T12:00:00Z", Tz::UTC);
        assert_eq!(anniversaries(1, &common), [228]);
        assert_eq!(anniversaries(2, &common), [228, 229, 301]);
        let leap = in_zone("2028-02-28T12:00:00Z", Tz::UTC);
        assert_eq!(anniversaries(2, &leap), [228, 229]);
        assert_eq!(anniversaries(3, &leap), [228, 229, 301]);
        assert_eq!(anniversaries(100_000, &common).len(), 366);
    }
}
