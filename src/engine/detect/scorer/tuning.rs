//! The constants of the scorer, one set for every series of every kind.

/// One set of constants. Evidence is in nats, that is, natural logarithms of odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// Samples closer than this are averaged into one observation before a jump is judged, …
    pub observation_s: f64,
    /// … at most so many of them.
    pub observation_samples: f64,
    /// Reach of the three levels: the first two in observations, the last in samples.
    pub fast_samples: f64,
    /// See `fast_samples`.
    pub middle_samples: f64,
    /// See `fast_samples`.
    pub slow_samples: f64,
    /// Samples over which scales are learnt.
    pub scale_samples: f32,
    /// A scale is at least this share of the scale that far values are not cut from.
    pub scale_floor: f32,
    /// Where the tail begins, in sigmas.
    pub tail_sigmas: f64,
    /// Power in which the tail is exponential: 1 an exponential tail, towards 0 a power law.
    pub tail_power: f64,
    /// Share of samples in a tail before any were seen, and the samples this counts as.
    pub tail_share: f32,
    /// See `tail_share`.
    pub tail_share_samples: f32,
    /// Mean excess in a tail before any was seen, and the excesses this counts as.
    pub tail_excess: f32,
    /// See `tail_excess`.
    pub tail_excess_count: f32,
    /// An excess counts as at most so many mean ones, so that rare anomalies do not become the measure.
    pub tail_cut: f32,
    /// Samples after which a tail forgets.
    pub tail_samples: f32,
    /// Surprise that alerts, where samples are five minutes apart.
    pub surprise_level: f64,
    /// How much more surprise it takes where samples are denser, in nats per nat of density: neighbours depend on each
    /// other, so that more samples are not as many more chances, but their tails are longer.
    pub density: f64,
    /// What the slower channels are given, as they make fewer independent statements.
    pub slow_bonus: f64,
    /// Doubt of a surprise and of a record after one sample; falls as one over their number.
    pub cold_surprise: f64,
    /// See `cold_surprise`.
    pub cold_record: f64,
    /// Samples before anything is judged.
    pub warm_samples: f64,
    /// Age in days at which a record is as unlikely as an alert; one without margin never alerts.
    pub record_days: f64,
    /// Most evidence from a margin, and most of an alert that counts for what follows.
    pub most_nats: f64,
    /// Margin for one nat, as a share of the range of all values seen, …
    pub extreme_share: f64,
    /// … and in sigmas; the smaller evidence counts.
    pub extreme_sigmas: f64,
    /// The same for means over a few samples and for those at an hour of the day.
    pub mean_share: f64,
    /// See `mean_share`.
    pub mean_sigmas: f64,
    /// The same for jumps.
    pub jump_share: f64,
    /// Samples of the short mean.
    pub mean_samples: f64,
    /// Seconds of the mean that is compared by hour of day.
    pub hour_mean_s: f64,
    /// Days before hours of the day are compared.
    pub hour_days: f64,
    /// Days after which a daily season forgets, and weeks after which a weekly one does.
    pub season_periods: f32,
    /// Hours in which the need to be more surprising than the last alert halves, and what is shown of a departure.
    pub refractory_h: f64,
    /// How many nats more it takes right after an alert; what a record is shown less than it alerts, once it did.
    pub refractory_nats: f64,
    /// Nats from 0.5 to 0.75, and below 0.5 to 0.25.
    pub spread: f64,
    /// A jump counts in full where it ends this many times less far from the slow level than it went, a jump back to
    /// that level not at all.
    pub home: f64,
    /// What comes as large again within so many days, on average, is no surprise.
    pub recur_days: f64,
    /// Where suppressed scores are squeezed to stay below 0.5.
    pub squeeze: f64,
}

impl Tuning {
    /// What is shipped.
    pub const SHIPPED: Self = Self {
        observation_s: 2_100.0,
        observation_samples: 4.0,
        fast_samples: 3.6,
        middle_samples: 5.5,
        slow_samples: 720.0,
        scale_samples: 1_100.0,
        scale_floor: 0.08,
        tail_sigmas: 2.6,
        tail_power: 2.0 / 3.0,
        tail_share: 0.066,
        tail_share_samples: 340.0,
        tail_excess: 0.35,
        tail_excess_count: 13.5,
        tail_cut: 5.0,
        tail_samples: 3000.0,
        surprise_level: 10.5,
        density: 1.62,
        slow_bonus: 0.5,
        cold_surprise: 50.0,
        cold_record: 100.0,
        warm_samples: 42.0,
        record_days: 37.0,
        most_nats: 30.0,
        extreme_share: 0.03,
        extreme_sigmas: 0.675,
        mean_share: 0.1,
        mean_sigmas: 1.0,
        jump_share: 0.037,
        mean_samples: 12.0,
        hour_mean_s: 7_200.0,
        hour_days: 7.0,
        season_periods: 10.0,
        refractory_h: 7.0,
        refractory_nats: 3.0,
        spread: 10.0,
        home: 1.3,
        recur_days: 2.5,
        squeeze: 0.49,
    };
}
