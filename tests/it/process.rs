//! The real program in processes of its own: killed, stopped, starved, doubled and lied to.

mod bulk;
mod crash;
mod importing;
mod lists;
mod memory;
mod nodes;
mod outage;
mod reminders;
mod resuming;
mod running;
mod secrets;
mod stopping;

/// The number of repetitions: the small one in `make test`, the full one in `make test-long`.
fn times(few: usize, many: usize) -> usize {
    if is_long() { many } else { few }
}

fn is_long() -> bool {
    std::env::var_os("KONTOR_TEST_LONG").is_some()
}

/// Where a random test begins; another one can be given to look further.
fn seed(usual: u64) -> u64 {
    let given = std::env::var("KONTOR_TEST_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    given.map_or(usual, |given| usual.wrapping_add(given.wrapping_mul(1_000_003)))
}
