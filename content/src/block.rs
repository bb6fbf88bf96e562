//! Blocks: the pieces of at most 256 KiB in which everything travels and is stored, and the two
//! traits by which this crate meets a block store.

use std::{
	fs::File,
	io::{self, Read, Write},
	path::{Path, PathBuf},
};

use dgcs_primitives::ContentId;

use crate::{
	content_id::{display, verify},
	error::{Error, Result},
};

/// The most content that one block holds, in bytes: the default chunk of `ipfs add`, far below the
/// 2 MiB that Bitswap carries.
pub const BLOCK_SIZE: usize = 256 * 1024;

/// The most bytes of a block: its content, and what a UnixFS node adds to it.
pub const MAX_BLOCK: usize = BLOCK_SIZE + 1024;

/// Where blocks are put. Called from several threads at once; a call that waits holds back the
/// reading of the input, so that memory stays bounded however slow the store is.
pub trait BlockSink: Sync {
	/// Stores `bytes` under `id`. Putting what is there already succeeds.
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()>;
}

/// Where blocks come from. Nothing it says is trusted: every block is checked against its name.
pub trait BlockSource: Sync {
	/// The block `id`, or `None` if it is not to be found. Reads no more than `limit` bytes and
	/// one, so that a block that is too large is told from a good one and costs no more than that.
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>>;

	/// Says which blocks will be asked for next, in that order, for a store that can fetch ahead.
	fn want(&self, _ids: &[ContentId]) {}
}

impl<S: BlockSink + ?Sized> BlockSink for &S {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		(**self).put(id, bytes)
	}
}

/// Gets the block `id` and checks every byte of it.
pub fn fetch(source: &dyn BlockSource, id: &ContentId) -> Result<Vec<u8>> {
	let bytes = source
		.get(id, MAX_BLOCK)
		.map_err(|source| Error::Store { id: *id, source })?
		.ok_or(Error::Missing(*id))?;
	if bytes.len() > MAX_BLOCK {
		return Err(Error::TooLarge {
			id: *id,
			found: bytes.len() as u64,
			limit: MAX_BLOCK as u64,
		});
	}
	verify(id, &bytes)?;
	Ok(bytes)
}

/// Puts `bytes` under `id`, with the id in the error.
pub(crate) fn store(sink: &dyn BlockSink, id: &ContentId, bytes: &[u8]) -> Result<()> {
	sink.put(id, bytes).map_err(|source| Error::Store { id: *id, source })
}

/// Blocks as files of a folder, named by their CIDs. A file appears under its name when it is
/// whole, so that an interrupted write leaves no half block behind.
#[derive(Debug)]
pub struct Directory {
	path: PathBuf,
}

impl Directory {
	/// The blocks in `path`, which is made if it does not exist.
	pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
		let path = path.into();
		match std::fs::create_dir_all(&path) {
			Ok(()) => Ok(Directory { path }),
			Err(source) => Err(Error::Write { path, source }),
		}
	}

	/// The file that holds, or would hold, block `id`.
	pub fn path_of(&self, id: &ContentId) -> PathBuf {
		self.path.join(display(id))
	}

	/// The folder.
	pub fn path(&self) -> &Path {
		&self.path
	}
}

impl BlockSink for Directory {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		let path = self.path_of(id);
		if path.exists() {
			return Ok(());
		}
		let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
		file.write_all(bytes)?;
		file.persist(path)?;
		Ok(())
	}
}

impl BlockSource for Directory {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		let file = match File::open(self.path_of(id)) {
			Ok(file) => file,
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
			Err(error) => return Err(error),
		};
		let mut bytes = Vec::with_capacity(limit.min(MAX_BLOCK) + 1);
		file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
		Ok(Some(bytes))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::content_id::raw;

	#[test]
	fn directory_keeps_blocks_and_fetch_checks_them() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let blocks = Directory::open(folder.path().join("blocks")).expect("can be made");
		let id = raw(b"block");
		assert!(matches!(fetch(&blocks, &id), Err(Error::Missing(missing)) if missing == id));
		blocks.put(&id, b"block").expect("there is room");
		blocks.put(&id, b"block").expect("twice is once");
		assert_eq!(fetch(&blocks, &id).expect("just put"), b"block");

		std::fs::write(blocks.path_of(&id), b"blocc").expect("can be written");
		assert!(matches!(fetch(&blocks, &id), Err(Error::WrongBlock { .. })));
		std::fs::write(blocks.path_of(&id), vec![0; 10 * MAX_BLOCK]).expect("can be written");
		let Err(Error::TooLarge { found, limit, .. }) = fetch(&blocks, &id) else { panic!() };
		assert_eq!((found, limit), (MAX_BLOCK as u64 + 1, MAX_BLOCK as u64));
	}
}
