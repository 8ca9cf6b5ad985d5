//! The job queue: claiming, ending, leases, schedules, and what people may do with jobs.

mod claiming;
mod dead;
mod ending;
mod kinds;
mod lab;
mod leases;
mod schedules;
mod steering;
