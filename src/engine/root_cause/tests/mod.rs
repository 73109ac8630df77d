//! Root cause by systems written by hand: incidents that detection told of, and tables.

mod bounds;
mod causes;
mod changes;
mod learned;
mod second;
mod shop;
mod tables;
mod unresolved;
