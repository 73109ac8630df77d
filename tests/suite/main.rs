//! The integration suite.

#[cfg(test)]
mod advisories;
#[cfg(test)]
mod alertmanager_real;
#[cfg(test)]
mod ask_model;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod attached;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod away;
#[cfg(test)]
mod background;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod bottom_line;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod commander;
#[cfg(test)]
mod components;
#[cfg(test)]
mod console_real;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod debsecan_real;
#[cfg(test)]
mod deliver;
#[cfg(test)]
mod deltas;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod end_to_end_real;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod engines;
#[cfg(test)]
mod executors_real;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod full_disk_real;
#[cfg(test)]
mod hang_up;
#[cfg(test)]
mod held_terminal;
#[cfg(test)]
mod hostile_values;
#[cfg(test)]
mod kill_at_start;
#[cfg(test)]
mod left_off;
#[cfg(test)]
mod left_over;
#[cfg(test)]
mod library;
#[cfg(test)]
mod line_drops_real;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod matching;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod other_users_real;
#[cfg(test)]
mod page_questions;
#[cfg(test)]
mod patch_hosts;
#[cfg(test)]
mod people;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod policy_oracle;
#[cfg(test)]
mod postmortem;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod prometheus_real;
#[cfg(test)]
mod prometheus_restart;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod read_only_disk_real;
#[cfg(test)]
mod real_service;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod release;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rollout_commands;
#[cfg(test)]
mod rollout_here;
#[cfg(test)]
mod rollout_real;
#[cfg(test)]
mod rpm_real;
#[cfg(test)]
mod runbook_commands;
#[cfg(test)]
mod served;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod shop_process;
#[cfg(test)]
mod shortage;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod step_views;
#[cfg(test)]
mod store;
#[cfg(test)]
mod store_damage;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod together;
#[cfg(test)]
mod two_consoles;
#[cfg(test)]
mod unwritable;
#[cfg(test)]
mod versions_real;
#[cfg(test)]
mod views;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod walking;
#[cfg(test)]
mod wheel_keys;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod wire_shapes;
