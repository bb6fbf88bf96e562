//! Compiled programs on disk, so that a worker compiles each of them once.

use std::{
	fs::{self, DirBuilder, File},
	io::{self, Write},
	os::unix::fs::{DirBuilderExt, PermissionsExt},
	path::{Path, PathBuf},
	time::SystemTime,
};

use blake2b_simd::{Hash, Params};
use tempfile::NamedTempFile;
use thiserror::Error;

/// The file that holds the key of a cache's seals.
const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;
/// How the name of an entry ends.
const SUFFIX: &str = ".cwasm";

/// Why a directory can't serve as a cache.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
	/// The file system refused.
	#[error("the cache of compiled programs in {dir} can't be opened: {source}")]
	Io {
		/// Where.
		dir: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// Somebody else could put programs there.
	#[error(
		"the cache of compiled programs in {dir} can be written to by others (mode {mode:o}); \
		 take that from them (chmod go-w), or choose another directory"
	)]
	Shared {
		/// Where.
		dir: PathBuf,
		/// Its permissions.
		mode: u32,
	},
	/// Not a key of ours.
	#[error("{path} has {bytes} bytes, and a key has {KEY_BYTES}; remove the file, and all is compiled anew")]
	Key {
		/// The file.
		path: PathBuf,
		/// How long it is.
		bytes: usize,
	},
}

/// A directory of compiled programs, of bounded size: those used longest ago make room.
///
/// Compiled code is run as it is, so an entry counts only if it is what this cache wrote, to the
/// bit: it carries a seal, made with a key that never leaves the directory. An entry that was
/// damaged, renamed, or brought from elsewhere is removed, and its program compiled anew. The seal
/// is no protection against who may write as the worker's own user; nothing in a file could be.
#[derive(Debug)]
pub struct Cache {
	dir: PathBuf,
	key: [u8; KEY_BYTES],
	max_bytes: u64,
}

impl Cache {
	/// Opens the cache in `dir`, which is made if it isn't there. It keeps at most `max_bytes`.
	///
	/// # Errors
	///
	/// When the directory can't be made, read or written, or others may write to it.
	pub fn open(dir: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, CacheError> {
		let dir = dir.into();
		let opened = open_dir(&dir).and_then(|mode| Ok((mode, open_key(&dir)?)));
		let (mode, key) = match opened {
			Ok(opened) => opened,
			Err(source) => return Err(CacheError::Io { dir, source }),
		};
		if mode & 0o022 != 0 {
			return Err(CacheError::Shared { dir, mode: mode & 0o777 });
		}
		let key = <[u8; KEY_BYTES]>::try_from(key)
			.map_err(|key| CacheError::Key { path: dir.join(KEY_FILE), bytes: key.len() })?;
		Ok(Self { dir, key, max_bytes })
	}

	/// The entry of that name. `None`: there is none that this cache wrote.
	pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
		let path = self.path(name);
		let mut bytes = match fs::read(&path) {
			Ok(bytes) => bytes,
			Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
			Err(error) => {
				log::warn!(
					"{} can't be read ({error}): its program is compiled anew",
					path.display()
				);
				return None;
			},
		};
		let content = bytes.len().checked_sub(SEAL_BYTES);
		// `Hash` compares in constant time.
		match content {
			Some(content) if self.seal(name, &bytes[..content]) == bytes[content..] => {
				bytes.truncate(content);
			},
			_ => {
				log::warn!(
					"{} is not what was written: its program is compiled anew",
					path.display()
				);
				self.remove(name);
				return None;
			},
		}
		// Used now. That it may fail on a full disk is no reason not to use the entry.
		let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
		Some(bytes)
	}

	/// Keeps an entry. A cache that can't only costs time: what went wrong is logged.
	pub(crate) fn put(&self, name: &str, content: &[u8]) {
		if content.len() as u64 + SEAL_BYTES as u64 > self.max_bytes {
			return;
		}
		if let Err(error) = self.write(name, content).and_then(|()| self.make_room()) {
			log::warn!("a compiled program can't be kept in {}: {error}", self.dir.display());
		}
	}

	/// Forgets an entry.
	pub(crate) fn remove(&self, name: &str) {
		// It may be gone already, by another process.
		let _ = fs::remove_file(self.path(name));
	}

	/// Writes it beside its place and moves it there, so that nobody ever sees half of it.
	fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
		let mut file = NamedTempFile::new_in(&self.dir)?;
		file.write_all(content)?;
		file.write_all(self.seal(name, content).as_bytes())?;
		file.persist(self.path(name)).map_err(|error| error.error)?;
		Ok(())
	}

	fn make_room(&self) -> io::Result<()> {
		let mut entries = Vec::new();
		for entry in fs::read_dir(&self.dir)? {
			let entry = entry?;
			// One that is gone by now takes no room.
			let Ok(metadata) = entry.metadata() else { continue };
			if entry.path().to_string_lossy().ends_with(SUFFIX) {
				entries.push((metadata.modified()?, metadata.len(), entry.path()));
			}
		}
		entries.sort();
		let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
		for (_, bytes, path) in entries {
			if total <= self.max_bytes {
				break;
			}
			fs::remove_file(path)?;
			total -= bytes;
		}
		Ok(())
	}

	/// Holds for one name and one content: an entry can't stand in for another.
	fn seal(&self, name: &str, content: &[u8]) -> Hash {
		let mut state = Params::new().hash_length(SEAL_BYTES).key(&self.key).to_state();
		state.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(content);
		state.finalize()
	}

	fn path(&self, name: &str) -> PathBuf {
		self.dir.join(format!("{name}{SUFFIX}"))
	}
}

/// Makes the directory if there is none, and says its mode.
fn open_dir(dir: &Path) -> io::Result<u32> {
	DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
	Ok(fs::metadata(dir)?.permissions().mode())
}

/// Reads the key, or makes one.
fn open_key(dir: &Path) -> io::Result<Vec<u8>> {
	let path = dir.join(KEY_FILE);
	match fs::read(&path) {
		Err(error) if error.kind() == io::ErrorKind::NotFound => {},
		read => return read,
	}
	let mut key = [0; KEY_BYTES];
	getrandom::fill(&mut key)?;
	// Readable to its owner alone. Whoever is first wins, when two processes start.
	let mut file = NamedTempFile::new_in(dir)?;
	file.write_all(&key)?;
	match file.persist_noclobber(&path) {
		Ok(_) => {},
		Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {},
		Err(error) => return Err(error.error),
	}
	fs::read(&path)
}
