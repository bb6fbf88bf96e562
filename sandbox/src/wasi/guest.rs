//! The program's memory and fuel, as the functions of the system use them.

use wasmtime::{AsContext, AsContextMut, Caller, Memory};

use crate::{rewrite, tank::Tank};

use super::{
	abi::Errno,
	process::{Halt, Process},
};

/// Fuel that every call of the system takes.
const CALL_FUEL: u64 = 100;
/// Bytes that a unit of fuel moves between the program and the system.
const BYTES_PER_FUEL: u64 = 4;

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Fault {
	/// The program is told.
	Errno(Errno),
	/// The program ends.
	Halt(Halt),
}

impl From<Errno> for Fault {
	fn from(errno: Errno) -> Self {
		Self::Errno(errno)
	}
}

impl From<Halt> for Fault {
	fn from(halt: Halt) -> Self {
		Self::Halt(halt)
	}
}

/// A program that has called the system.
pub(super) struct Guest<'a> {
	caller: Caller<'a, Process>,
	memory: Memory,
	tank: Tank,
}

/// Serves one call: takes its fuel, and turns what `serve` finds into what the program sees.
pub(super) fn answer<'a>(
	caller: Caller<'a, Process>,
	serve: impl FnOnce(&mut Guest<'a>) -> Result<(), Fault>,
) -> wasmtime::Result<i32> {
	let served = Guest::new(caller).and_then(|mut guest| {
		guest.charge(CALL_FUEL)?;
		serve(&mut guest)
	});
	match served {
		Ok(()) => Ok(Errno::Success as i32),
		Err(Fault::Errno(errno)) => Ok(errno as i32),
		Err(Fault::Halt(halt)) => Err(halt.into()),
	}
}

impl<'a> Guest<'a> {
	fn new(mut caller: Caller<'a, Process>) -> Result<Self, Fault> {
		let memory = caller
			.get_export("memory")
			.and_then(|export| export.into_memory())
			.ok_or_else(|| Halt::Host("a program passed the check without a memory".into()))?;
		let tank = caller
			.get_export(rewrite::FUEL)
			.and_then(|export| export.into_global())
			.map(Tank)
			.ok_or_else(|| Halt::Host("a program was rewritten without its fuel".into()))?;
		Ok(Self { caller, memory, tank })
	}

	pub(super) fn process(&mut self) -> &mut Process {
		self.caller.data_mut()
	}

	/// Fuel used since the start.
	pub(super) fn fuel_used(&mut self) -> u64 {
		let left = self.tank.left(&mut self.caller);
		self.caller.data().fuel().saturating_sub(left)
	}

	/// Takes fuel for work that the system does.
	pub(super) fn charge(&mut self, fuel: u64) -> Result<(), Fault> {
		let enough = self.tank.take(&mut self.caller, fuel).map_err(host)?;
		enough.then_some(()).ok_or(Fault::Halt(Halt::OutOfFuel))
	}

	/// Takes fuel for moving bytes.
	pub(super) fn charge_bytes(&mut self, bytes: u32) -> Result<(), Fault> {
		self.charge(u64::from(bytes) / BYTES_PER_FUEL)
	}

	/// Takes fuel for `count` items of a list.
	pub(super) fn charge_items(&mut self, count: u32) -> Result<(), Fault> {
		self.charge(u64::from(count) * CALL_FUEL)
	}

	/// Some of the program's memory, and the process beside it.
	pub(super) fn slice(
		&mut self,
		address: u32,
		length: u32,
	) -> Result<(&mut [u8], &mut Process), Fault> {
		let (memory, process) = self.memory.data_and_store_mut(self.caller.as_context_mut());
		let start = address as usize;
		let slice = memory.get_mut(start..start + length as usize).ok_or(Errno::Fault)?;
		Ok((slice, process))
	}

	/// Bytes at an address.
	pub(super) fn read<const N: usize>(&self, address: u32) -> Result<[u8; N], Fault> {
		let memory = self.memory.data(self.caller.as_context());
		let bytes = memory.get(address as usize..).and_then(|bytes| bytes.first_chunk());
		bytes.copied().ok_or(Fault::Errno(Errno::Fault))
	}

	/// Puts bytes at an address.
	pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Fault> {
		let memory = self.memory.data_mut(self.caller.as_context_mut());
		let start = address as usize;
		memory.get_mut(start..start + bytes.len()).ok_or(Errno::Fault)?.copy_from_slice(bytes);
		Ok(())
	}

	/// A number at an address.
	pub(super) fn read_u32(&self, address: u32) -> Result<u32, Fault> {
		self.read(address).map(u32::from_le_bytes)
	}

	/// Puts a number at an address.
	pub(super) fn write_u32(&mut self, address: u32, number: u32) -> Result<(), Fault> {
		self.write(address, &number.to_le_bytes())
	}
}

/// The address of entry `index` of a list.
pub(super) fn entry(list: u32, index: u32, size: u32) -> Result<u32, Fault> {
	let offset = index.checked_mul(size).ok_or(Errno::Fault)?;
	Ok(list.checked_add(offset).ok_or(Errno::Fault)?)
}

/// An error of the machine, not of the program.
fn host(error: wasmtime::Error) -> Fault {
	Fault::Halt(Halt::Host(format!("{error:#}")))
}
