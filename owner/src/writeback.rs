//! A file that goes to the disk while it is written, so that whoever wants it there at the end waits for
//! its last bytes only.

use std::{
	fs::File,
	io::{self, Write},
	thread::{self, JoinHandle},
};

/// Bytes after which the disk is asked for.
const STEP: u64 = 32 << 20;

/// A file of which at most two steps of 32 MiB are not on the disk yet.
#[derive(Debug)]
pub struct Writeback {
	file: File,
	/// Bytes since the last step.
	written: u64,
	step: Option<JoinHandle<io::Result<()>>>,
}

impl Writeback {
	/// Writes where `file` is at.
	pub fn new(file: File) -> Self {
		Writeback { file, written: 0, step: None }
	}

	/// Waits until all of it is on the disk.
	pub fn sync(mut self) -> io::Result<()> {
		self.end_step()?;
		self.file.sync_data()
	}

	fn begin_step(&mut self) -> io::Result<()> {
		self.end_step()?;
		let file = self.file.try_clone()?;
		self.step = Some(thread::Builder::new().spawn(move || file.sync_data())?);
		self.written = 0;
		Ok(())
	}

	/// An error of the disk is told once, to whoever waits first: it may not be lost here.
	fn end_step(&mut self) -> io::Result<()> {
		let Some(step) = self.step.take() else { return Ok(()) };
		step.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs panicked")))
	}
}

impl Write for Writeback {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		let written = self.file.write(bytes)?;
		self.written += written as u64;
		if self.written >= STEP {
			self.begin_step()?;
		}
		Ok(written)
	}

	fn flush(&mut self) -> io::Result<()> {
		self.file.flush()
	}
}

#[cfg(test)]
mod tests {
	use std::io::Read;

	use super::*;

	#[test]
	fn all_bytes_arrive_over_several_steps() {
		let mut file = tempfile::tempfile().expect("a temporary file");
		let mut writeback = Writeback::new(file.try_clone().expect("a second handle"));
		let chunk: Vec<u8> = (0..STEP / 2 + 1).map(|i| (i % 251) as u8).collect();
		for _ in 0..5 {
			writeback.write_all(&chunk).expect("there is room");
		}
		assert!(writeback.step.is_some(), "the disk was asked for meanwhile");
		writeback.sync().expect("on the disk");
		io::Seek::rewind(&mut file).expect("a file");
		let mut found = Vec::new();
		file.read_to_end(&mut found).expect("readable");
		assert!(found == chunk.repeat(5));
	}

	#[test]
	fn an_error_of_the_disk_is_told() {
		// Syncing is no thing that a device does.
		let device = File::options().write(true).open("/dev/zero").expect("on every Linux");
		let mut writeback = Writeback::new(device);
		let chunk = vec![0; STEP as usize];
		writeback.write_all(&chunk).expect("it takes all");
		assert!(writeback.write_all(&chunk).and_then(|()| writeback.sync()).is_err());
	}
}
