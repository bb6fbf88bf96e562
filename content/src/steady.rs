//! Files that have to stay as they are while they are read.

use std::{
	fs::File,
	io::{self, Read},
	os::unix::fs::FileExt,
	path::{Path, PathBuf},
	time::SystemTime,
};

use crate::error::{Error, Result};

/// Where in memory a read had better begin: some processors copy to other places at a third of the speed
/// (a Zen 3: 1.4 to 2 GB/s in place of 5 to 6).
const ALIGNMENT: usize = 64;

/// A file that has to stay as it was when it was opened. Several threads may read it.
pub(crate) struct Steady {
	file: File,
	path: PathBuf,
	len: u64,
	/// When it was written to last, where the system says so.
	modified: Option<SystemTime>,
}

impl Steady {
	/// Opens `path`, which must be a file.
	pub fn open(path: &Path) -> Result<Self> {
		let failed = |source| Error::Read { path: path.to_owned(), source };
		let file = File::open(path).map_err(failed)?;
		let metadata = file.metadata().map_err(failed)?;
		if !metadata.is_file() {
			return Err(Error::NotAFile { path: path.to_owned(), what: "no file" });
		}
		let (len, modified) = (metadata.len(), metadata.modified().ok());
		Ok(Steady { file, path: path.to_owned(), len, modified })
	}

	/// How long it is.
	pub fn len(&self) -> u64 {
		self.len
	}

	/// Fills `buffer` from byte `at` on. Whether the file is still what it was, [`Self::unchanged`] says.
	pub fn read_at(&self, buffer: &mut [u8], mut at: u64) -> Result<()> {
		let skew = buffer.as_ptr().align_offset(ALIGNMENT).min(buffer.len());
		let (front, rest) = buffer.split_at_mut(skew);
		for mut part in [front, rest] {
			while !part.is_empty() {
				let read = self.read_some(part, at)?;
				if read == 0 {
					return Err(self.changed(at));
				}
				at += read as u64;
				part = &mut part[read..];
			}
		}
		Ok(())
	}

	/// Fails if it was written to since it was opened: what was read before may be a mixture.
	pub fn unchanged(&self) -> Result<()> {
		let metadata = self.file.metadata().map_err(|error| self.failed(error))?;
		if metadata.len() != self.len {
			return Err(self.changed(metadata.len()));
		}
		if metadata.modified().ok() != self.modified {
			return Err(Error::Rewritten { path: self.path.clone() });
		}
		Ok(())
	}

	/// Fails if there is more than was promised, whatever the system says of its length, or as
	/// [`Self::unchanged`] does.
	pub fn ends(&self) -> Result<()> {
		if self.read_some(&mut [0], self.len)? > 0 {
			return Err(self.changed(self.len + 1));
		}
		self.unchanged()
	}

	/// All of it, in order. The end is told only of a file that is as it was.
	pub fn reader(&self) -> SteadyReader<'_> {
		SteadyReader { file: self, at: 0 }
	}

	/// What `error` of reading it means, or the error of ours within it.
	pub fn failed(&self, error: io::Error) -> Error {
		Error::from_io(error, |source| Error::Read { path: self.path.clone(), source })
	}

	fn changed(&self, found: u64) -> Error {
		Error::Changed { path: self.path.clone(), expected: self.len, found }
	}

	fn read_some(&self, buffer: &mut [u8], at: u64) -> Result<usize> {
		loop {
			match self.file.read_at(buffer, at) {
				Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
				read => return read.map_err(|error| self.failed(error)),
			}
		}
	}
}

/// Reads a [`Steady`] from its first byte to its last.
pub(crate) struct SteadyReader<'a> {
	file: &'a Steady,
	at: u64,
}

impl Read for SteadyReader<'_> {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		let most = (buffer.len() as u64).min(self.file.len - self.at) as usize;
		if most == 0 {
			let at_end = self.at == self.file.len;
			return if at_end { self.file.ends().map_err(Error::into_io) } else { Ok(()) }
				.map(|()| 0);
		}
		let read = self.file.read_some(&mut buffer[..most], self.at).map_err(Error::into_io)?;
		if read == 0 {
			return Err(self.file.changed(self.at).into_io());
		}
		self.at += read as u64;
		Ok(read)
	}
}

#[cfg(test)]
mod tests {
	use std::{fs, time::UNIX_EPOCH};

	use super::*;

	/// Reads a file of 1234 in both ways, of which `change` is called when it is open.
	fn read_while(change: impl Fn(&Path)) -> [Result<Vec<u8>>; 2] {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let path = temporary.path().join("file");
		let open = || {
			fs::write(&path, "1234").expect("possible");
			let file = Steady::open(&path).expect("exists");
			change(&path);
			file
		};
		let (file, mut in_order) = (open(), Vec::new());
		let read = file.reader().read_to_end(&mut in_order);
		let in_order = read.map(|_| in_order).map_err(|error| file.failed(error));
		let (file, mut anywhere) = (open(), vec![0; 4]);
		let (front, back) = anywhere.split_at_mut(3);
		let read = file.read_at(back, 3).and_then(|()| file.read_at(front, 0));
		[in_order, read.and_then(|()| file.unchanged()).map(|()| anywhere)]
	}

	#[test]
	fn reading_fails_when_a_file_grows_or_shrinks() {
		for (later, found) in [("12345", [5, 5]), ("123", [3, 3]), ("", [0, 3])] {
			let results = read_while(|path| fs::write(path, later).expect("possible"));
			for (result, expected_found) in results.into_iter().zip(found) {
				let error = result.expect_err("changed");
				let Error::Changed { expected: 4, found, .. } = error else { panic!("{error}") };
				assert_eq!(found, expected_found, "{later}");
			}
		}
	}

	#[test]
	fn reading_fails_when_a_file_is_written_to_and_keeps_its_length() {
		let results = read_while(|path| {
			fs::write(path, "5678").expect("possible");
			// The system's clock of files may not have ticked between the two.
			let written = File::options().write(true).open(path).expect("exists");
			written.set_modified(UNIX_EPOCH).expect("mine");
		});
		for result in results {
			let error = result.expect_err("changed");
			assert!(
				matches!(&error, Error::Rewritten { path } if path.ends_with("file")),
				"{error}"
			);
		}
	}

	#[test]
	fn what_is_open_is_there_to_its_end() {
		let results = read_while(|path| fs::remove_file(path).expect("possible"));
		results.into_iter().for_each(|read| assert_eq!(read.expect("it was open"), b"1234"));
	}
}
