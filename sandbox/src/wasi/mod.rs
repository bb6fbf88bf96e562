//! WASI preview 1, as far as a program without files and network needs it, and deterministic.
//!
//! What a program sees here is part of what workers vote on: every byte, every error number, every
//! unit of fuel. So it follows from the subtask alone, never from the machine, the time, or how
//! often a worker has run it before. `docs/protocol.md` says what each function does.

mod abi;
mod clock;
mod guest;
mod process;
mod stdio;
mod strings;

pub(crate) use abi::{result_of, signature_of, MODULE};
pub(crate) use process::{Halt, Process};

use rand_chacha::rand_core::RngCore;
use wasmtime::{Caller, Engine, FuncType, Linker, Val, ValType};

use abi::{Errno, UNAVAILABLE};
use guest::answer;

type Call<'a> = Caller<'a, Process>;

/// Defines every function of WASI preview 1.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Process>> {
	let mut linker = Linker::new(engine);

	linker.func_wrap(MODULE, "args_get", |call: Call<'_>, list: u32, bytes: u32| {
		answer(call, |guest| strings::get(guest, |process| &process.args, list, bytes))
	})?;
	linker.func_wrap(MODULE, "args_sizes_get", |call: Call<'_>, count: u32, bytes: u32| {
		answer(call, |guest| strings::sizes(guest, |process| &process.args, count, bytes))
	})?;
	linker.func_wrap(MODULE, "environ_get", |call: Call<'_>, list: u32, bytes: u32| {
		answer(call, |guest| strings::get(guest, |process| &process.env, list, bytes))
	})?;
	linker.func_wrap(MODULE, "environ_sizes_get", |call: Call<'_>, count: u32, bytes: u32| {
		answer(call, |guest| strings::sizes(guest, |process| &process.env, count, bytes))
	})?;

	linker.func_wrap(MODULE, "clock_res_get", |call: Call<'_>, id: u32, to: u32| {
		answer(call, |guest| clock::resolution(guest, id, to))
	})?;
	linker.func_wrap(MODULE, "clock_time_get", |call: Call<'_>, id: u32, _: u64, to: u32| {
		answer(call, |guest| clock::time(guest, id, to))
	})?;
	linker.func_wrap(
		MODULE,
		"poll_oneoff",
		|call: Call<'_>, subscriptions: u32, events: u32, count: u32, to: u32| {
			answer(call, |guest| clock::poll(guest, subscriptions, events, count, to))
		},
	)?;

	linker.func_wrap(MODULE, "fd_read", |call: Call<'_>, fd: u32, iov: u32, n: u32, to: u32| {
		answer(call, |guest| stdio::read(guest, fd, iov, n, to))
	})?;
	linker.func_wrap(
		MODULE,
		"fd_write",
		|call: Call<'_>, fd: u32, iov: u32, n: u32, to: u32| {
			answer(call, |guest| stdio::write(guest, fd, iov, n, to))
		},
	)?;
	linker.func_wrap(MODULE, "fd_close", |call: Call<'_>, fd: u32| {
		answer(call, |guest| guest.process().close(fd))
	})?;
	linker.func_wrap(MODULE, "fd_renumber", |call: Call<'_>, from: u32, to: u32| {
		answer(call, |guest| guest.process().renumber(from, to))
	})?;
	linker.func_wrap(MODULE, "fd_fdstat_get", |call: Call<'_>, fd: u32, to: u32| {
		answer(call, |guest| stdio::describe(guest, fd, to))
	})?;
	linker.func_wrap(MODULE, "fd_filestat_get", |call: Call<'_>, fd: u32, to: u32| {
		answer(call, |guest| stdio::stat(guest, fd, to))
	})?;

	linker.func_wrap(MODULE, "random_get", |call: Call<'_>, to: u32, length: u32| {
		answer(call, |guest| {
			guest.charge_bytes(length)?;
			let (memory, process) = guest.slice(to, length)?;
			process.random.fill_bytes(memory);
			Ok(())
		})
	})?;
	linker.func_wrap(MODULE, "sched_yield", |call: Call<'_>| answer(call, |_| Ok(())))?;
	linker.func_wrap(MODULE, "proc_exit", |_: Call<'_>, code: u32| -> wasmtime::Result<()> {
		Err(Halt::Exit(code).into())
	})?;

	for (name, errno) in UNAVAILABLE {
		define_unavailable(&mut linker, engine, name, *errno)?;
	}
	Ok(linker)
}

/// Defines a function that answers with `errno`, whatever it is asked.
fn define_unavailable(
	linker: &mut Linker<Process>,
	engine: &Engine,
	name: &str,
	errno: Errno,
) -> wasmtime::Result<()> {
	let params = signature_of(name).into_iter().flatten().map(|letter| match letter {
		'I' => ValType::I64,
		_ => ValType::I32,
	});
	let of = FuncType::new(engine, params, [ValType::I32]);
	linker.func_new(MODULE, name, of, move |call, _, results| {
		let errno = answer(call, |_| Err(errno.into()))?;
		if let Some(result) = results.first_mut() {
			*result = Val::I32(errno);
		}
		Ok(())
	})?;
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::{abi::FUNCTIONS, *};
	use std::collections::BTreeSet;

	/// What `check` lets a program import is what there is, in the same types.
	#[test]
	fn every_function_is_defined_as_listed() {
		let engine = Engine::default();
		let linker = linker(&engine).expect("no function is defined twice");
		let process = Process::for_tests();
		let mut store = wasmtime::Store::new(&engine, process);
		let mut defined = BTreeSet::new();
		for (module, name, item) in linker.iter(&mut store).collect::<Vec<_>>() {
			assert_eq!(module, MODULE);
			let of = item.into_func().expect("functions alone").ty(&store);
			let params: String =
				of.params().map(|param| if param.is_i64() { 'I' } else { 'i' }).collect();
			assert_eq!(signature_of(name).expect("listed").collect::<String>(), params, "{name}");
			assert_eq!(result_of(name), of.results().len() == 1, "{name}");
			defined.insert(name.to_owned());
		}
		assert_eq!(defined.len(), FUNCTIONS.len());
		assert_eq!(defined.len(), 46);
	}
}
