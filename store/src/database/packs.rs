//! Pack files: records one after the other. They only grow at the end of the newest one, and are
//! removed as a whole.

use std::{
	collections::HashMap,
	fs::{File, OpenOptions},
	io,
	path::{Path, PathBuf},
	sync::{Arc, Mutex, PoisonError},
};

use crate::error::{at, Result};

/// The most pack files that are open at once.
const MOST_OPEN: usize = 64;

/// The folder of the pack files.
#[derive(Debug)]
pub(crate) struct Packs {
	folder: PathBuf,
	open: Mutex<HashMap<u32, Arc<File>>>,
}

impl Packs {
	/// The packs in `folder`, which is made if it does not exist.
	pub fn open(folder: PathBuf) -> Result<Self> {
		std::fs::create_dir_all(&folder).map_err(at(&folder))?;
		Ok(Packs { folder, open: Mutex::default() })
	}

	/// Where pack `number` is.
	pub fn path(&self, number: u32) -> PathBuf {
		self.folder.join(format!("{number:08}.pack"))
	}

	/// The numbers and lengths in bytes of all packs, in order.
	pub fn list(&self) -> Result<Vec<(u32, u64)>> {
		let mut packs = Vec::new();
		for entry in std::fs::read_dir(&self.folder).map_err(at(&self.folder))? {
			let entry = entry.map_err(at(&self.folder))?;
			let path = entry.path();
			let Some(number) = number(&path) else { continue };
			packs.push((number, entry.metadata().map_err(at(&path))?.len()));
		}
		packs.sort_unstable();
		Ok(packs)
	}

	/// The file of pack `number`, to read from and write to. It is made if `new`.
	pub fn file(&self, number: u32, new: bool) -> io::Result<Arc<File>> {
		let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(file) = open.get(&number) {
			return Ok(file.clone());
		}
		let file = OpenOptions::new()
			.read(true)
			.write(true)
			.create(new)
			.truncate(false)
			.open(self.path(number))?;
		if new {
			// So that the file's name survives a loss of power as well.
			File::open(&self.folder)?.sync_all()?;
		}
		if open.len() >= MOST_OPEN {
			open.clear();
		}
		let file = Arc::new(file);
		open.insert(number, file.clone());
		Ok(file)
	}

	/// Removes pack `number`, and gives its room back.
	pub fn remove(&self, number: u32) -> Result<()> {
		self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
		let path = self.path(number);
		match std::fs::remove_file(&path) {
			Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
			_ => Ok(()),
		}
	}
}

fn number(path: &Path) -> Option<u32> {
	let name = path.file_name()?.to_str()?;
	name.strip_suffix(".pack")?.parse().ok()
}
