//! A subtask's input, all of it, before its program starts.
//!
//! Where a store is slow the program must not notice: its time is bounded by the clock on the wall,
//! and while it waits for input it can't be stopped. Small inputs stay in memory, large ones go to a
//! file that has no name, so that nothing of it is left after a crash.

use std::{
	fs::File,
	io::{self, Cursor, Read, Seek, Write},
	path::{Path, PathBuf},
	sync::Arc,
};

/// The most bytes that are kept in memory.
const IN_MEMORY: usize = 4 << 20;

/// An input that is being written.
#[derive(Debug)]
pub(super) struct Spool {
	folder: PathBuf,
	memory: Vec<u8>,
	file: Option<File>,
}

/// An input that can be read, any number of times, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Input {
	Memory(Arc<[u8]>),
	File(Arc<File>),
}

impl Spool {
	/// Nothing yet. A file, if one is needed, is made in `folder`.
	pub(super) fn new(folder: &Path) -> Self {
		Spool { folder: folder.to_path_buf(), memory: Vec::new(), file: None }
	}

	/// Ends the input.
	pub(super) fn finish(self) -> Input {
		match self.file {
			Some(file) => Input::File(Arc::new(file)),
			None => Input::Memory(self.memory.into()),
		}
	}
}

impl Write for Spool {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		if let Some(file) = &mut self.file {
			return file.write(bytes);
		}
		if self.memory.len() + bytes.len() <= IN_MEMORY {
			self.memory.extend_from_slice(bytes);
			return Ok(bytes.len());
		}
		let mut file = tempfile::tempfile_in(&self.folder)?;
		file.write_all(&self.memory)?;
		self.memory = Vec::new();
		let written = file.write(bytes)?;
		self.file = Some(file);
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
			Input::File(file) => {
				let mut file = file.try_clone()?;
				file.rewind()?;
				Box::new(io::BufReader::new(file))
			},
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn comes_back_whatever_its_length_and_leaves_nothing() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		for len in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY] {
			let bytes: Vec<u8> = (0..len).map(|i| (i / 251) as u8).collect();
			let mut spool = Spool::new(folder.path());
			bytes.chunks(1_000_003).for_each(|part| spool.write_all(part).expect("there is room"));
			let input = spool.finish();
			assert_eq!(matches!(input, Input::File(_)), len > IN_MEMORY);
			for _ in 0..2 {
				let mut read = Vec::new();
				input.reader().expect("ours").read_to_end(&mut read).expect("ours");
				assert!(read == bytes, "{len} bytes");
			}
		}
		assert_eq!(folder.path().read_dir().expect("exists").count(), 0);
	}
}
