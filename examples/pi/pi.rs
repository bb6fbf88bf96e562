//! Estimates π by throwing points at a square, and counting those inside the circle.
//!
//! ```text
//! pi [POINTS]    "inside points" of one subtask; by default 100 million points
//! pi merge       such lines in; their sums and the estimate out
//! ```
//!
//! The points of a subtask follow from the random numbers that it is given, which are its own.
//!
//! As a task it does without the standard library, so that it needs no more of the compiler than DGCS
//! itself. A program with it is compiled for `wasm32-wasip1` and needs nothing of the first half of
//! this file. At home (`rustc -O pi.rs`) it takes its random numbers from the file that `PI_RANDOM`
//! names, or from the system.

#![cfg_attr(target_family = "wasm", no_std, no_main)]

// The system -----------------------------------------------------------------------------------

#[cfg(target_family = "wasm")]
mod system {
	#[repr(C)]
	struct Buffer {
		bytes: *mut u8,
		length: usize,
	}

	#[link(wasm_import_module = "wasi_snapshot_preview1")]
	extern "C" {
		fn args_get(list: *mut *const u8, bytes: *mut u8) -> i32;
		fn args_sizes_get(count: *mut usize, bytes: *mut usize) -> i32;
		fn fd_read(fd: i32, buffers: *const Buffer, count: usize, read: *mut usize) -> i32;
		fn fd_write(fd: i32, buffers: *const Buffer, count: usize, written: *mut usize) -> i32;
		fn proc_exit(code: i32) -> !;
		fn random_get(bytes: *mut u8, length: usize) -> i32;
	}

	#[panic_handler]
	fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
		core::arch::wasm32::unreachable()
	}

	/// Where the program begins.
	#[no_mangle]
	extern "C" fn _start() {
		super::start();
	}

	pub fn fail(message: &str) -> ! {
		write_to(2, message.as_bytes());
		// SAFETY: takes no address.
		unsafe { proc_exit(2) }
	}

	/// Writes to standard output.
	pub fn write(bytes: &[u8]) {
		write_to(1, bytes);
	}

	fn write_to(fd: i32, bytes: &[u8]) {
		let buffer = Buffer { bytes: bytes.as_ptr().cast_mut(), length: bytes.len() };
		let mut written = 0;
		// SAFETY: one buffer, which is only read.
		unsafe { fd_write(fd, &buffer, 1, &mut written) };
	}

	/// Fills `bytes` from standard input, and says how much there was.
	pub fn read(bytes: &mut [u8]) -> usize {
		let buffer = Buffer { bytes: bytes.as_mut_ptr(), length: bytes.len() };
		let mut read = 0;
		// SAFETY: one buffer, which is ours.
		if unsafe { fd_read(0, &buffer, 1, &mut read) } != 0 {
			fail("pi: standard input can't be read\n");
		}
		read
	}

	/// The first argument, in `bytes`. The empty string if there is none.
	pub fn argument(bytes: &mut [u8; 256]) -> &str {
		let (mut count, mut length, mut list) = (0, 0, [core::ptr::null(); 4]);
		// SAFETY: two numbers, and then at most as many bytes and addresses as there is room for.
		unsafe {
			args_sizes_get(&mut count, &mut length);
			if count > list.len() || length > bytes.len() {
				fail("pi: too many arguments\n");
			}
			args_get(list.as_mut_ptr(), bytes.as_mut_ptr());
		}
		let mut strings = bytes[..length].split(|byte| *byte == 0).skip(1);
		core::str::from_utf8(strings.next().unwrap_or_default()).unwrap_or_default()
	}

	pub fn random(bytes: &mut [u8]) {
		// SAFETY: the buffer is ours, and as long as is said.
		unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
	}
}

#[cfg(not(target_family = "wasm"))]
mod system {
	use std::{
		env,
		fs::File,
		io::{self, Read, Write},
		process,
	};

	pub fn fail(message: &str) -> ! {
		eprint!("{message}");
		process::exit(2)
	}

	/// Writes to standard output.
	pub fn write(bytes: &[u8]) {
		if io::stdout().write_all(bytes).is_err() {
			fail("pi: standard output can't be written\n");
		}
	}

	/// Reads some of standard input, and says how much.
	pub fn read(bytes: &mut [u8]) -> usize {
		io::stdin().read(bytes).unwrap_or_else(|_| fail("pi: standard input can't be read\n"))
	}

	/// The first argument, in `bytes`. The empty string if there is none.
	pub fn argument(bytes: &mut [u8; 256]) -> &str {
		let argument = env::args().nth(1).unwrap_or_default();
		let Some(place) = bytes.get_mut(..argument.len()) else {
			fail("pi: too long an argument\n")
		};
		place.copy_from_slice(argument.as_bytes());
		std::str::from_utf8(place).unwrap_or_default()
	}

	pub fn random(bytes: &mut [u8]) {
		let name = env::var_os("PI_RANDOM").unwrap_or_else(|| "/dev/urandom".into());
		if File::open(name).and_then(|mut file| file.read_exact(bytes)).is_err() {
			fail("pi: there are no random numbers\n");
		}
	}
}

#[cfg(not(target_family = "wasm"))]
fn main() {
	start();
}

use system::{argument, fail, read, write};

// The program ----------------------------------------------------------------------------------

/// Random numbers: xoshiro256++ (Blackman, Vigna 2019).
struct Random([u64; 4]);

impl Random {
	fn new() -> Self {
		let mut seed = [0; 32];
		system::random(&mut seed);
		let mut state = [1; 4];
		for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
			*word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
		}
		Self(state)
	}

	fn next(&mut self) -> u64 {
		let s = &mut self.0;
		let next = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
		let shifted = s[1] << 17;
		s[2] ^= s[0];
		s[3] ^= s[1];
		s[1] ^= s[2];
		s[0] ^= s[3];
		s[2] ^= shifted;
		s[3] = s[3].rotate_left(45);
		next
	}
}

/// How many of so many points are inside the circle.
fn throw(points: u64) -> u64 {
	let mut random = Random::new();
	let mut outside = 0;
	for _ in 0..points {
		let bits = random.next();
		let (x, y) = (bits >> 32, bits & 0xffff_ffff);
		// The square is 2^32 long, so the sum of those outside is one that 64 bits can't hold.
		outside += u64::from((x * x).overflowing_add(y * y).1);
	}
	points - outside
}

/// Writes a number in decimal, with `decimals` of its digits behind a point.
fn write_number(mut number: u64, decimals: usize, end: u8) {
	let mut text = [0; 24];
	let mut at = text.len() - 1;
	text[at] = end;
	let mut digits = 0;
	while number > 0 || digits <= decimals {
		if digits == decimals && decimals > 0 {
			at -= 1;
			text[at] = b'.';
		}
		at -= 1;
		text[at] = b'0' + (number % 10) as u8;
		number /= 10;
		digits += 1;
	}
	write(&text[at..]);
}

/// Adds up the pairs of numbers on standard input.
fn merge() -> (u64, u64) {
	let (mut sums, mut number, mut which, mut within) = ([0u64; 2], 0u64, 0, false);
	let mut block = [0; 4096];
	loop {
		let length = read(&mut block);
		// The end of the input ends a number.
		let bytes = if length == 0 { &b"\n"[..] } else { &block[..length] };
		for byte in bytes {
			match byte {
				b'0'..=b'9' => {
					number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
					within = true;
				},
				b' ' | b'\n' => {
					if within {
						sums[which] = sums[which].wrapping_add(number);
						(number, which, within) = (0, 1 - which, false);
					}
				},
				_ => fail("pi: standard input is not lines of two numbers\n"),
			}
		}
		if length == 0 {
			return (sums[0], sums[1]);
		}
	}
}

fn start() {
	let mut bytes = [0; 256];
	let argument = argument(&mut bytes);
	if argument == "merge" {
		let (inside, points) = merge();
		if points == 0 {
			fail("pi: nothing to merge\n");
		}
		write_number(inside, 0, b' ');
		write_number(points, 0, b' ');
		let estimate = u128::from(inside) * 4_000_000_000 / u128::from(points);
		write_number(estimate as u64, 9, b'\n');
		return;
	}
	let points = match argument {
		"" => 100_000_000,
		digits => match digits.parse() {
			Ok(points) if points > 0 => points,
			_ => fail("pi: the argument is a number of points, or merge\n"),
		},
	};
	write_number(throw(points), 0, b' ');
	write_number(points, 0, b'\n');
}
