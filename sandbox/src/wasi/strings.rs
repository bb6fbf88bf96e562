//! Arguments and environment.

use super::{
	guest::{entry, Fault, Guest},
	process::Process,
};

/// Which strings are meant.
type Strings = fn(&Process) -> &Vec<Vec<u8>>;

/// Tells how many strings there are, and how many bytes they take.
pub(super) fn sizes(
	guest: &mut Guest<'_>,
	of: Strings,
	count: u32,
	bytes: u32,
) -> Result<(), Fault> {
	let strings = of(guest.process());
	// Both are bounded by `MAX_ARGUMENT_BYTES`.
	let (number, total) =
		(strings.len() as u32, strings.iter().map(Vec::len).sum::<usize>() as u32);
	guest.write_u32(count, number)?;
	guest.write_u32(bytes, total)
}

/// Puts the strings one after another at `bytes`, and their addresses at `list`.
pub(super) fn get(
	guest: &mut Guest<'_>,
	of: Strings,
	list: u32,
	mut bytes: u32,
) -> Result<(), Fault> {
	let strings = of(guest.process()).clone();
	guest.charge_items(strings.len() as u32)?;
	for (index, string) in (0u32..).zip(&strings) {
		guest.charge_bytes(string.len() as u32)?;
		guest.write(bytes, string)?;
		guest.write_u32(entry(list, index, 4)?, bytes)?;
		bytes = entry(bytes, 1, string.len() as u32)?;
	}
	Ok(())
}
