//! Which symptoms belong to one incident, by what explains them best.
pub mod case;
pub mod casebook;
pub mod delay;
pub mod face;
mod found;
pub mod labels;
mod lags;
mod learn;
mod live;
pub mod places;
mod product;
mod prompt;
mod review;
mod rhythm;
mod settings;
mod settle;
mod stream;
mod turn;
