//! Units of time and money.

use crate::{Balance, BlockNumber};

/// How long a slot, and with it a block, takes.
pub const MILLISECS_PER_BLOCK: u64 = 3_000;
/// Blocks of a minute.
pub const MINUTES: BlockNumber = 60_000 / (MILLISECS_PER_BLOCK as BlockNumber);
/// Blocks of an hour.
pub const HOURS: BlockNumber = 60 * MINUTES;
/// Blocks of a day.
pub const DAYS: BlockNumber = 24 * HOURS;
/// A session is one minute: a masternode that joins or leaves waits for two of them.
pub const SESSION: BlockNumber = MINUTES;

/// One DGC has twelve decimals.
pub const DGC: Balance = 1_000_000_000_000;
/// A thousandth of a DGC.
pub const MILLI: Balance = DGC / 1_000;
/// A millionth of a DGC.
pub const MICRO: Balance = MILLI / 1_000;
