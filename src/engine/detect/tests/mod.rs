//! The stage as a whole, on made-up series.

mod bench_source;
mod borrowed;
mod cold;
mod explained;
mod judged;
mod kept;
mod logs;
mod noise;
mod past;
mod promised;
mod related;
mod returned;
mod set_aside;
mod silent;

use bench_source::Bench;
