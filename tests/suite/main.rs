//! The integration suite.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod views;
mod prometheus_real;
