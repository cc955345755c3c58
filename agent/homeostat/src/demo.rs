//! `homeostat demo`.
//!
//! Answers what the agent is, in two minutes and on one screen.

mod backend;
mod fault;
mod line;
mod load;
mod panel;
mod screen;
mod shop;
mod story;
