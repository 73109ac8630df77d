//! The integration suite.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod prometheus_real;
#[cfg(test)]
mod views;
