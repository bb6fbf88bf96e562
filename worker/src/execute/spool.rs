//! A subtask's input, all of it, before its program starts.
//!
//! Where a store is slow the program must not notice: its time is bounded by the clock on the wall,
//! and while it waits for input it can't be stopped. Small inputs stay in memory, large ones go to a
//! file that has no name, so that nothing of it is left after a crash.
//!
//! How long an input is, its owner has said before anything of it is fetched. So a run reserves room
//! first, of the disk that all runs share, and gives it back when the last of its inputs is dropped,
//! however it ends.

use std::{
	fs::File,
	io::{self, Cursor, Read, Seek, Write},
	path::{Path, PathBuf},
	sync::{Arc, Mutex},
};

use super::lock;

/// The most bytes that are kept in memory.
const IN_MEMORY: u64 = 4 << 20;

/// The disk that is lent to the inputs of all runs together.
#[derive(Debug)]
pub(super) struct Scratch {
	folder: PathBuf,
	lent: u64,
	taken: Arc<Mutex<u64>>,
}

/// What one run has of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Room {
	folder: PathBuf,
	bytes: u64,
	taken: Arc<Mutex<u64>>,
}

/// Why a run gets no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
	/// It needs more than all runs together have.
	Ever,
	/// Others have it now.
	Now {
		/// What they leave.
		free: u64,
	},
}

/// An input that is being written.
#[derive(Debug)]
pub(super) struct Spool {
	kept: Kept,
	/// Bytes that are still to come.
	left: u64,
}

#[derive(Debug)]
enum Kept {
	Memory(Vec<u8>),
	File(File, Arc<Room>),
}

/// An input that can be read, any number of times, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Input {
	Memory(Arc<[u8]>),
	File {
		file: Arc<File>,
		/// As long as the file is there.
		_room: Arc<Room>,
	},
}

impl Scratch {
	/// `lent` bytes for files in `folder`.
	pub(super) fn new(folder: PathBuf, lent: u64) -> Self {
		Scratch { folder, lent, taken: Arc::default() }
	}

	/// Where the files are.
	pub(super) fn folder(&self) -> &Path {
		&self.folder
	}

	/// How many bytes all of them may have.
	pub(super) fn lent(&self) -> u64 {
		self.lent
	}

	/// Room for inputs of at most `len` bytes each, one at a time.
	pub(super) fn reserve(&self, len: u64) -> Result<Arc<Room>, NoRoom> {
		let bytes = if len <= IN_MEMORY { 0 } else { len };
		if bytes > self.lent {
			return Err(NoRoom::Ever);
		}
		let mut taken = lock(&self.taken);
		let free = self.lent.saturating_sub(*taken);
		if bytes > free {
			return Err(NoRoom::Now { free });
		}
		*taken += bytes;
		Ok(Arc::new(Room { folder: self.folder.clone(), bytes, taken: self.taken.clone() }))
	}
}

impl Drop for Room {
	fn drop(&mut self) {
		*lock(&self.taken) -= self.bytes;
	}
}

impl Spool {
	/// Nothing yet of an input of `len` bytes, for which there is `room`.
	pub(super) fn new(len: u64, room: &Arc<Room>) -> io::Result<Self> {
		let kept = if len <= IN_MEMORY {
			Kept::Memory(Vec::new())
		} else if len <= room.bytes {
			Kept::File(tempfile::tempfile_in(&room.folder)?, room.clone())
		} else {
			return Err(io::Error::other(format!("there is room for {} bytes", room.bytes)));
		};
		Ok(Spool { kept, left: len })
	}

	/// Ends the input.
	pub(super) fn finish(self) -> Input {
		match self.kept {
			Kept::Memory(bytes) => Input::Memory(bytes.into()),
			Kept::File(file, room) => Input::File { file: Arc::new(file), _room: room },
		}
	}
}

impl Write for Spool {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
			return Err(io::Error::other("it has more bytes than were announced"));
		};
		let written = match &mut self.kept {
			Kept::Memory(memory) => memory.write(bytes)?,
			Kept::File(file, _) => file.write(bytes)?,
		};
		self.left = left + (bytes.len() - written) as u64;
		Ok(written)
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}

impl Input {
	/// Reads it from its start. One reader at a time: they share the place in the file.
	pub(super) fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
		Ok(match self {
			Input::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
			Input::File { file, .. } => {
				let mut file = file.try_clone()?;
				file.rewind()?;
				Box::new(io::BufReader::new(file))
			},
		})
	}
}

#[cfg(test)]
mod tests {
	use std::panic::{catch_unwind, AssertUnwindSafe};

	use super::*;

	/// The least that needs room.
	const LARGE: u64 = IN_MEMORY + 1;

	fn written(room: &Arc<Room>, bytes: &[u8]) -> Input {
		let mut spool = Spool::new(bytes.len() as u64, room).expect("there is room");
		bytes.chunks(1_000_003).for_each(|part| spool.write_all(part).expect("as announced"));
		spool.finish()
	}

	#[test]
	fn comes_back_whatever_its_length_and_leaves_nothing() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let scratch = Scratch::new(folder.path().into(), 3 * IN_MEMORY);
		for len in [0, 1, IN_MEMORY, LARGE, 3 * IN_MEMORY] {
			let bytes: Vec<u8> = (0..len).map(|i| (i / 251) as u8).collect();
			let room = scratch.reserve(len).expect("there is room");
			let input = written(&room, &bytes);
			assert_eq!(matches!(input, Input::File { .. }), len > IN_MEMORY);
			for _ in 0..2 {
				let mut read = Vec::new();
				input.reader().expect("ours").read_to_end(&mut read).expect("ours");
				assert!(read == bytes, "{len} bytes");
			}
		}
		assert_eq!(folder.path().read_dir().expect("exists").count(), 0);
		assert_eq!(*lock(&scratch.taken), 0);
	}

	#[test]
	fn no_more_is_reserved_than_is_lent() {
		let scratch = Scratch::new(std::env::temp_dir(), 2 * LARGE);
		assert_eq!(scratch.reserve(2 * LARGE + 1).err(), Some(NoRoom::Ever));
		let one = scratch.reserve(LARGE).expect("half of it");
		assert_eq!(scratch.reserve(LARGE + 1).err(), Some(NoRoom::Now { free: LARGE }));
		let other = scratch.reserve(LARGE).expect("the other half");
		assert_eq!(scratch.reserve(LARGE).err(), Some(NoRoom::Now { free: 0 }));
		// What stays in memory needs none.
		scratch.reserve(IN_MEMORY).expect("none is needed");
		drop(one);
		scratch.reserve(LARGE).expect("it was given back");
		drop(other);
		scratch.reserve(2 * LARGE).expect("all of it");
	}

	#[test]
	fn room_is_kept_as_long_as_an_input_and_given_back_after_a_panic() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let scratch = Scratch::new(folder.path().into(), LARGE);
		let room = scratch.reserve(LARGE).expect("all of it");
		let input = written(&room, &[1u8].repeat(LARGE as usize));
		drop(room);
		let copy = input.clone();
		drop(input);
		assert!(scratch.reserve(LARGE).is_err(), "the copy is still there");
		drop(copy);
		let panics = || {
			let _room = scratch.reserve(LARGE).expect("it was given back");
			panic!("a run panics");
		};
		let ended: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(panics));
		assert!(ended.is_err());
		scratch.reserve(LARGE).expect("it was given back");
	}

	#[test]
	fn an_input_has_as_many_bytes_as_were_announced_at_most() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let scratch = Scratch::new(folder.path().into(), LARGE);
		let room = scratch.reserve(LARGE).expect("all of it");
		for len in [0, 10, LARGE] {
			let mut spool = Spool::new(len, &room).expect("there is room");
			spool.write_all(&vec![1; len as usize]).expect("as announced");
			spool.write_all(&[1]).expect_err("more than was announced");
		}
		Spool::new(LARGE + 1, &room).expect_err("more than was reserved");
	}
}
