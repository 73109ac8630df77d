//! Days and longer stretches: "last friday", "the day before yesterday", "on the 14th", "12 november", "over the weekend".

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::{Read, Reader};
use crate::engine::ask::time::expression::Stretch;
use crate::engine::ask::time::numbers::{day_number, iso_date, month, numbered_date, weekday, year};

/// How many months or years a day is looked for that not all of them have.
const LOOKED_BACK: u32 = 8;

impl Reader<'_> {
    /// A day or a longer stretch.
    pub(super) fn day(&self) -> Read<Stretch> {
        let (second, today) = (self.word(1), self.today);
        let is_weekend = matches!(today.weekday(), Weekday::Sat | Weekday::Sun);
        let (stretch, length) = match self.word(0) {
            "today" => (Stretch::Today, 1),
            "this" if matches!(second, "morning" | "afternoon") => (Stretch::Today, 2),
            "yesterday" if second == "night" => (Stretch::LastNight, 2),
            "yesterday" => (Stretch::Yesterday, 1),
            "overnight" => (Stretch::LastNight, 1),
            "night" if second == "before" && self.is(2, &["last"]) => return self.days_back(1).map(|day| (day, 3)),
            "night" if second == "before" => (Stretch::LastNight, 2),
            "day" if second == "before" && self.is(2, &["yesterday"]) => return self.days_back(2).map(|day| (day, 3)),
            "day" if second == "after" && self.is(2, &["tomorrow"]) => {
                return today.checked_add_days(Days::new(2)).map(|date| (Stretch::Date(date), 3));
            }
            "tonight" => (Stretch::Tonight, 1),
            "this" if matches!(second, "evening" | "night") => (Stretch::Tonight, 2),
            "tomorrow" => (Stretch::Tomorrow, 1),
            "this" if second == "week" => (Stretch::ThisWeek, 2),
            "this" if second == "month" => (Stretch::ThisMonth, 2),
            "this" if second == "weekend" => (Stretch::Weekend, 2),
            "last" | "previous" if matches!(second, "night" | "evening") => (Stretch::LastNight, 2),
            "last" | "previous" if second == "week" => return Some(self.day_of_last_week()),
            "last" | "previous" if second == "month" => (Stretch::LastMonth, 2),
            "last" | "previous" | "past" if second == "weekend" => (Stretch::LastWeekend, 2),
            "next" | "coming" | "following" if second == "week" => (Stretch::NextWeek, 2),
            "next" | "coming" if second == "weekend" && is_weekend => {
                let since = today.weekday().num_days_from_monday() - 5;
                return today.checked_add_days(Days::new(u64::from(7 - since))).map(|date| (Stretch::Date(date), 2));
            }
            "next" | "coming" if second == "weekend" => (Stretch::Weekend, 2),
            "weekend" => (Stretch::Weekend, 1),
            "last" | "previous" | "past" | "next" | "coming" | "this" if weekday(second).is_some() => {
                return self.led_weekday();
            }
            word => match weekday(word) {
                Some(day) => return Some(self.weekday_of_last_week(day)),
                None => return self.date(),
            },
        };
        Some((stretch, length))
    }

    fn days_back(&self, days: u64) -> Option<Stretch> {
        self.today.checked_sub_days(Days::new(days)).map(Stretch::Date)
    }

    fn monday(&self) -> Option<NaiveDate> {
        self.today.checked_sub_days(Days::new(u64::from(self.today.weekday().num_days_from_monday())))
    }

    /// "last friday", "next monday", "this wednesday".
    fn led_weekday(&self) -> Read<Stretch> {
        let day = weekday(self.word(1))?;
        let (of_day, of_today) = (u64::from(day.num_days_from_monday()), self.today.weekday());
        let date = match self.word(0) {
            // Said on a Friday, "last friday" is none that has just begun.
            "last" | "previous" | "past" if day != of_today => return Some((Stretch::Day(day), 2)),
            "last" | "previous" | "past" => self.today.checked_sub_days(Days::new(7)),
            "this" => self.monday()?.checked_add_days(Days::new(of_day)),
            _ => {
                let ahead = (7 + of_day - u64::from(of_today.num_days_from_monday())) % 7;
                self.today.checked_add_days(Days::new(if ahead == 0 { 7 } else { ahead }))
            }
        };
        date.map(|date| (Stretch::Date(date), 2))
    }

    /// "monday of last week"; else the latest such day.
    fn weekday_of_last_week(&self, day: Weekday) -> (Stretch, usize) {
        let at = self.skip(1, &["of", "in"]);
        let is_last_week = self.is(at, &["last", "previous"]) && self.is(at + 1, &["week"]);
        let ago = 7 - u64::from(day.num_days_from_monday());
        match self.monday().and_then(|monday| monday.checked_sub_days(Days::new(ago))).filter(|_| is_last_week) {
            Some(date) => (Stretch::Date(date), at + 2),
            None => (Stretch::Day(day), 1),
        }
    }

    /// "last week", or "last week on monday".
    fn day_of_last_week(&self) -> (Stretch, usize) {
        let at = self.skip(2, &["on"]);
        let of_week = weekday(self.word(at)).and_then(|day| {
            let ago = 7 - u64::from(day.num_days_from_monday());
            self.monday()?.checked_sub_days(Days::new(ago))
        });
        of_week.map_or((Stretch::LastWeek, 2), |date| (Stretch::Date(date), at + 1))
    }

    /// "2026-11-12", "12 November", "the 12th of Nov 2026", "November 12th", "the 12th", "12.11.", "in october".
    fn date(&self) -> Read<Stretch> {
        if let Some(date) = iso_date(self.word(0)) {
            return Some((Stretch::Date(date), 1));
        }
        if let Some(date) = self.numbered(false) {
            return Some((Stretch::Date(date), 1));
        }
        let is_ordinal = self.word(0).ends_with(|c: char| c.is_alphabetic());
        let (day, in_month, length) = match (day_number(self.word(0)), month(self.word(0))) {
            (Some(day), _) => {
                let at = self.skip(1, &["of"]);
                // "2 may be down"
                let is_sure = self.word(at) != "may" || is_ordinal || year(self.word(at + 1)).is_some();
                match month(self.word(at)).filter(|_| is_sure) {
                    Some(month) => (day, Some(month), at + 1),
                    None if is_ordinal && at == 1 => (day, None, 1),
                    None => return None,
                }
            }
            (None, Some(in_month)) => {
                let at = self.skip(1, &["the"]);
                let is_day = |word: &str| {
                    let is_sure = self.word(0) != "may" || word.ends_with(|c: char| c.is_alphabetic());
                    day_number(word).filter(|_| is_sure)
                };
                match is_day(self.word(at)) {
                    Some(day) => (day, Some(in_month), at + 1),
                    None => return self.whole_month(in_month),
                }
            }
            (None, None) => return None,
        };
        let (date, length) = match (in_month, year(self.word(length))) {
            (Some(month), Some(year)) => (NaiveDate::from_ymd_opt(year, month, day)?, length + 1),
            (Some(month), None) => (
                self.latest(|back| NaiveDate::from_ymd_opt(self.today.year() - i32::try_from(back).ok()?, month, day))?,
                length,
            ),
            (None, _) => (
                self.latest(|back| self.today.with_day(1)?.checked_sub_months(Months::new(back))?.with_day(day))?,
                length,
            ),
        };
        Some((Stretch::Date(date), length))
    }

    /// The latest date that is not ahead, of those that lie ever further back; some months and years lack it.
    fn latest(&self, of: impl Fn(u32) -> Option<NaiveDate>) -> Option<NaiveDate> {
        (0..=LOOKED_BACK).find_map(|back| of(back).filter(|date| *date <= self.today))
    }

    /// "12.11.", "12.11.2026", "12/11/2026": the day stands first where both could.
    pub(super) fn numbered(&self, is_led: bool) -> Option<NaiveDate> {
        let (one, other, year, _) = numbered_date(self.word(0)).filter(|(.., year, sign)| {
            // "1.5" and "3/4" are no dates unless something says so.
            is_led || year.is_some() || (*sign == '.' && self.word(0).ends_with('.'))
        })?;
        let (day, month) = if other > 12 { (other, one) } else { (one, other) };
        match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day),
            None => {
                self.latest(|back| NaiveDate::from_ymd_opt(self.today.year() - i32::try_from(back).ok()?, month, day))
            }
        }
    }

    /// "october", "november 2025", where no day of it is said.
    fn whole_month(&self, month: u32) -> Read<Stretch> {
        if let Some(year) = year(self.word(1)) {
            return NaiveDate::from_ymd_opt(year, month, 1).map(|first| (Stretch::Month(first), 2));
        }
        // "may" and "march" are verbs as well.
        if self.word(0).len() <= 3 || matches!(self.word(0), "march") {
            return None;
        }
        let first =
            self.latest(|back| NaiveDate::from_ymd_opt(self.today.year() - i32::try_from(back).ok()?, month, 1))?;
        Some((Stretch::Month(first), 1))
    }
}
