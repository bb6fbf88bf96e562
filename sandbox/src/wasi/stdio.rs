//! Standard input, output and error.

use std::io::{self, Read};

use super::{
	abi::{Errno, FILETYPE_UNKNOWN, RIGHT_POLL, RIGHT_READ, RIGHT_WRITE},
	guest::{entry, Fault, Guest},
	process::{Halt, Stream},
};

/// Bytes of an entry in a list of buffers: address and length.
const BUFFER_ENTRY: u32 = 8;

/// Fills the buffers from standard input: to the last byte, but at its end. How the input arrives at
/// the worker can't be seen.
pub(super) fn read(
	guest: &mut Guest<'_>,
	fd: u32,
	buffers: u32,
	count: u32,
	to: u32,
) -> Result<(), Fault> {
	if guest.process().stream(fd)? != Stream::In {
		return Err(Errno::Notcapable.into());
	}
	guest.charge_items(count)?;
	let mut total = 0u32;
	for index in 0..count {
		let (address, length) = buffer(guest, buffers, index)?;
		total.checked_add(length).ok_or(Errno::Inval)?;
		let (memory, process) = guest.slice(address, length)?;
		let filled = fill(&mut process.stdin, memory)
			.map_err(|error| Halt::Host(format!("the input can't be read: {error}")))?;
		// At most the buffer's length.
		let filled = filled as u32;
		guest.charge_bytes(filled)?;
		total += filled;
		if filled < length {
			break;
		}
	}
	guest.write_u32(to, total)
}

/// Takes what is in the buffers, all of it.
pub(super) fn write(
	guest: &mut Guest<'_>,
	fd: u32,
	buffers: u32,
	count: u32,
	to: u32,
) -> Result<(), Fault> {
	let stream = guest.process().stream(fd)?;
	guest.charge_items(count)?;
	let mut total = 0u32;
	for index in 0..count {
		let (address, length) = buffer(guest, buffers, index)?;
		total = total.checked_add(length).ok_or(Errno::Inval)?;
		guest.charge_bytes(length)?;
		let (memory, process) = guest.slice(address, length)?;
		process.write(stream, memory)?;
	}
	guest.write_u32(to, total)
}

/// `fdstat`: what the stream is, and what may be done with it.
pub(super) fn describe(guest: &mut Guest<'_>, fd: u32, to: u32) -> Result<(), Fault> {
	let rights = match guest.process().stream(fd)? {
		Stream::In => RIGHT_READ | RIGHT_POLL,
		Stream::Out | Stream::Err => RIGHT_WRITE | RIGHT_POLL,
	};
	let mut fdstat = [0; 24];
	fdstat[0] = FILETYPE_UNKNOWN;
	fdstat[8..16].copy_from_slice(&rights.to_le_bytes());
	guest.write(to, &fdstat)
}

/// `filestat`: nothing is known of a stream, its length least of all.
pub(super) fn stat(guest: &mut Guest<'_>, fd: u32, to: u32) -> Result<(), Fault> {
	guest.process().stream(fd)?;
	let mut filestat = [0; 64];
	filestat[16] = FILETYPE_UNKNOWN;
	guest.write(to, &filestat)
}

/// Address and length of a buffer in a list.
fn buffer(guest: &Guest<'_>, buffers: u32, index: u32) -> Result<(u32, u32), Fault> {
	let at = entry(buffers, index, BUFFER_ENTRY)?;
	Ok((guest.read_u32(at)?, guest.read_u32(entry(at, 1, 4)?)?))
}

/// Reads until the buffer is full or the input at its end, and says how much that was.
fn fill(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
	let mut filled = 0;
	while filled < buffer.len() {
		match input.read(&mut buffer[filled..]) {
			Ok(0) => break,
			Ok(bytes) => filled += bytes,
			Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
			Err(error) => return Err(error),
		}
	}
	Ok(filled)
}
