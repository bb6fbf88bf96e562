//! The index: which block is where, what is pinned, and what may go.

use std::{collections::BTreeMap, path::Path};

use cid::Cid;
use dgcs_content::content_id::from_cid;
use dgcs_primitives::ContentId;
use redb::{
	ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::record::{self, Digest};
use crate::error::{Error, Result};

/// How much of the index is kept in memory, in bytes.
const CACHE: usize = 16 << 20;

/// Where a block is: `(pins, pack, offset, length)`.
type Row = (u32, u32, u32, u32);

const BLOCKS: TableDefinition<'_, &Digest, Row> = TableDefinition::new("blocks");
/// Blocks without a pin, in the order of `(pack, offset)`: the oldest first. The value is the
/// session in which the block must not go.
const LOOSE: TableDefinition<'_, (u32, u32), (&Digest, u32)> = TableDefinition::new("loose");
/// The binary CIDs of pinned roots, each with the digests of all blocks below it. They are listed,
/// so that no damaged block can keep others from being given back.
const PINS: TableDefinition<'_, &[u8; 36], &[u8]> = TableDefinition::new("pins");
/// Of each pack, how many bytes of live records it has, and up to where it is indexed.
const PACKS: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("packs");
const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");

/// The pack of a block that was found damaged: its pins stay, its place is open.
const GONE: u32 = u32::MAX;

/// The session of blocks that may go at any time.
pub(crate) const NEVER: u32 = 0;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
	pub pack: u32,
	pub offset: u32,
	/// Of the block, without its header.
	pub len: u32,
}

impl Place {
	fn of((_, pack, offset, len): Row) -> Option<Self> {
		(pack != GONE).then_some(Place { pack, offset, len })
	}

	/// Bytes of the record.
	pub fn size(&self) -> u64 {
		record::size(self.len as usize)
	}
}

/// A record that was written and is to be indexed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
	pub digest: Digest,
	pub place: Place,
	/// The session in which it must not go, or [`NEVER`].
	pub session: u32,
	/// It is a copy of one that is indexed, which it replaces.
	pub moved: bool,
}

/// What is known of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackState {
	pub live: u64,
	pub end: u64,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
	pub blocks: u64,
	pub pins: u64,
}

/// The index. One process has it at a time.
pub(crate) struct Index {
	database: redb::Database,
}

impl std::fmt::Debug for Index {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Index")
	}
}

impl Index {
	/// Opens the index at `path`, or makes it.
	pub fn open(path: &Path) -> Result<Self> {
		let opened = redb::Database::builder().set_cache_size(CACHE).create(path);
		let database = opened.map_err(|error| match error {
			redb::DatabaseError::DatabaseAlreadyOpen
			| redb::DatabaseError::LockProtocolMismatch => {
				Error::Locked { path: path.parent().unwrap_or(path).into() }
			},
			other => Error::Index(Box::new(other.into())),
		})?;
		let txn = database.begin_write()?;
		txn.open_table(BLOCKS)?;
		txn.open_table(LOOSE)?;
		txn.open_table(PINS)?;
		txn.open_table(PACKS)?;
		let found = {
			let mut meta = txn.open_table(META)?;
			let stated = meta.get("form")?.map(|form| form.value());
			// The first form was not stated.
			let is_new = meta.get("session")?.is_none();
			let form = stated.unwrap_or(if is_new { record::FORM } else { 1 });
			meta.insert("form", form)?;
			form
		};
		if found != record::FORM {
			let path = path.parent().unwrap_or(path).into();
			return Err(Error::Format { path, found, known: record::FORM });
		}
		txn.commit()?;
		Ok(Index { database })
	}

	/// Begins a session: a number that no earlier one had.
	pub fn begin_session(&self) -> Result<u32> {
		let txn = self.database.begin_write()?;
		let next = {
			let mut meta = txn.open_table(META)?;
			let last = meta.get("session")?.map_or(NEVER, |last| last.value());
			let next = last.checked_add(1).unwrap_or(NEVER + 1);
			meta.insert("session", next)?;
			next
		};
		txn.commit()?;
		Ok(next)
	}

	/// Where a block is.
	pub fn get(&self, digest: &Digest) -> Result<Option<Place>> {
		let blocks = self.database.begin_read()?.open_table(BLOCKS)?;
		let row = blocks.get(digest)?;
		Ok(row.and_then(|row| Place::of(row.value())))
	}

	/// All blocks of a pack. Looks at all blocks there are.
	pub fn blocks_in(&self, pack: u32) -> Result<Vec<(Digest, Place)>> {
		let blocks = self.database.begin_read()?.open_table(BLOCKS)?;
		let mut found = Vec::new();
		for row in blocks.iter()? {
			let (digest, row) = row?;
			let place = Place::of(row.value()).filter(|place| place.pack == pack);
			found.extend(place.map(|place| (*digest.value(), place)));
		}
		Ok(found)
	}

	/// What is known of all packs.
	pub fn packs(&self) -> Result<BTreeMap<u32, PackState>> {
		let packs = self.database.begin_read()?.open_table(PACKS)?;
		let mut all = BTreeMap::new();
		for row in packs.iter()? {
			let (number, state) = row?;
			let (live, end) = state.value();
			all.insert(number.value(), PackState { live, end });
		}
		Ok(all)
	}

	/// How much there is.
	pub fn count(&self) -> Result<Count> {
		let txn = self.database.begin_read()?;
		Ok(Count { blocks: txn.open_table(BLOCKS)?.len()?, pins: txn.open_table(PINS)?.len()? })
	}

	/// Whether `root` is pinned.
	pub fn is_pinned(&self, root: &ContentId) -> Result<bool> {
		let pins = self.database.begin_read()?.open_table(PINS)?;
		let found = pins.get(&root.to_bytes())?.is_some();
		Ok(found)
	}

	/// All pinned roots.
	pub fn pinned(&self) -> Result<Vec<ContentId>> {
		let pins = self.database.begin_read()?.open_table(PINS)?;
		let mut all = Vec::new();
		for row in pins.iter()? {
			let cid = Cid::try_from(row?.0.value().as_slice()).map_err(|error| {
				Error::Index(Box::new(redb::Error::Corrupted(error.to_string())))
			})?;
			all.push(from_cid(&cid)?);
		}
		Ok(all)
	}

	/// Indexes what was written.
	pub fn insert(&self, entries: &[Entry]) -> Result<()> {
		let txn = self.database.begin_write()?;
		{
			let mut blocks = txn.open_table(BLOCKS)?;
			let mut loose = txn.open_table(LOOSE)?;
			let mut live = Live::default();
			for Entry { digest, place, session, moved } in entries {
				live.reach(place);
				let old = blocks.get(digest)?.map(|row| row.value());
				let (pins, session) = match old {
					// Removed while it was moved.
					None if *moved => continue,
					None => (0, *session),
					Some(row) => match Place::of(row) {
						// Written twice: the second copy is not needed.
						Some(_) if !moved => continue,
						Some(old) => {
							live.sub(&old);
							let kept = loose.remove((old.pack, old.offset))?;
							(row.0, kept.map_or(*session, |kept| kept.value().1))
						},
						None => (row.0, *session),
					},
				};
				blocks.insert(digest, (pins, place.pack, place.offset, place.len))?;
				live.add(place);
				if pins == 0 {
					loose.insert((place.pack, place.offset), (digest, session))?;
				}
			}
			live.write(&txn)?;
		}
		txn.commit()?;
		Ok(())
	}

	/// Keeps the block from going in this session, if it has no pin. Says whether it is here.
	pub fn keep(&self, digest: &Digest, session: u32) -> Result<bool> {
		{
			let txn = self.database.begin_read()?;
			let row = txn.open_table(BLOCKS)?.get(digest)?.map(|row| row.value());
			let Some((pins, pack, offset, _)) = row else { return Ok(false) };
			if pack == GONE || pins > 0 {
				return Ok(pack != GONE);
			}
			let kept = txn.open_table(LOOSE)?.get((pack, offset))?.map(|row| row.value().1);
			if kept == Some(session) {
				return Ok(true);
			}
		}
		let mut txn = self.database.begin_write()?;
		// A session does not outlive a crash, nor need this.
		txn.set_durability(redb::Durability::None)?;
		let here = {
			let row = txn.open_table(BLOCKS)?.get(digest)?.map(|row| row.value());
			match row.map(|row| (row.0, Place::of(row))) {
				Some((0, Some(place))) => {
					let mut loose = txn.open_table(LOOSE)?;
					loose.insert((place.pack, place.offset), (digest, session))?;
					true
				},
				Some((_, place)) => place.is_some(),
				None => false,
			}
		};
		txn.commit()?;
		Ok(here)
	}

	/// Pins each root with all blocks below it, itself included: all trees or, where a block is not
	/// there, none. Gives the first such block, with the root that it is below.
	pub fn pin(
		&self,
		trees: &[(ContentId, Vec<Digest>)],
	) -> Result<std::result::Result<(), (ContentId, Digest)>> {
		let txn = self.database.begin_write()?;
		{
			let mut pins = txn.open_table(PINS)?;
			let mut blocks = txn.open_table(BLOCKS)?;
			let mut loose = txn.open_table(LOOSE)?;
			for (root, digests) in trees {
				if pins.get(&root.to_bytes())?.is_some() {
					continue;
				}
				for digest in digests {
					let row = blocks.get(digest)?.map(|row| row.value());
					let Some((count, pack, offset, len)) =
						row.filter(|row| Place::of(*row).is_some())
					else {
						return Ok(Err((*root, *digest)));
					};
					loose.remove((pack, offset))?;
					blocks.insert(digest, (count.saturating_add(1), pack, offset, len))?;
				}
				pins.insert(&root.to_bytes(), digests.concat().as_slice())?;
			}
		}
		txn.commit()?;
		Ok(Ok(()))
	}

	/// Ends the pin of `root`, and removes the blocks that no other pin has. Says if there was one.
	pub fn unpin(&self, root: &ContentId) -> Result<bool> {
		let txn = self.database.begin_write()?;
		{
			let mut pins = txn.open_table(PINS)?;
			let Some(list) = pins.remove(&root.to_bytes())? else { return Ok(false) };
			let mut blocks = txn.open_table(BLOCKS)?;
			let mut live = Live::default();
			for digest in list.value().chunks_exact(32) {
				let digest: &Digest = digest.try_into().expect("chunks are of 32 bytes; qed");
				let Some(row) = blocks.get(digest)?.map(|row| row.value()) else { continue };
				let (count, pack, offset, len) = row;
				if count > 1 {
					blocks.insert(digest, (count - 1, pack, offset, len))?;
					continue;
				}
				blocks.remove(digest)?;
				if let Some(place) = Place::of(row) {
					live.sub(&place);
				}
			}
			live.write(&txn)?;
		}
		txn.commit()?;
		Ok(true)
	}

	/// Removes loose blocks, the oldest first, until about `bytes` are free, but none that must not
	/// go in `session`. Says how many bytes it were.
	pub fn evict(&self, bytes: u64, session: u32) -> Result<u64> {
		let txn = self.database.begin_write()?;
		let mut freed = 0;
		{
			let mut blocks = txn.open_table(BLOCKS)?;
			let mut loose = txn.open_table(LOOSE)?;
			let mut live = Live::default();
			let mut gone = Vec::new();
			for row in loose.iter()? {
				if freed >= bytes {
					break;
				}
				let (place, value) = row?;
				let (digest, kept) = value.value();
				if kept == session {
					continue;
				}
				let Some(row) = blocks.remove(digest)?.map(|row| row.value()) else { continue };
				if let Some(place) = Place::of(row) {
					live.sub(&place);
					freed += place.size();
				}
				gone.push(place.value());
			}
			for place in gone {
				loose.remove(place)?;
			}
			live.write(&txn)?;
		}
		txn.commit()?;
		Ok(freed)
	}

	/// Notes that the block at `place` is damaged. Its pins stay, for when it is fetched again.
	pub fn lose(&self, digest: &Digest, place: &Place) -> Result<()> {
		let txn = self.database.begin_write()?;
		{
			let mut blocks = txn.open_table(BLOCKS)?;
			let Some(row) = blocks.get(digest)?.map(|row| row.value()) else { return Ok(()) };
			if Place::of(row) != Some(*place) {
				return Ok(());
			}
			if row.0 == 0 {
				blocks.remove(digest)?;
				txn.open_table(LOOSE)?.remove((place.pack, place.offset))?;
			} else {
				blocks.insert(digest, (row.0, GONE, 0, 0))?;
			}
			let mut live = Live::default();
			live.sub(place);
			live.write(&txn)?;
		}
		txn.commit()?;
		Ok(())
	}

	/// Forgets a pack without live records.
	pub fn remove_pack(&self, number: u32) -> Result<()> {
		let txn = self.database.begin_write()?;
		txn.open_table(PACKS)?.remove(number)?;
		txn.commit()?;
		Ok(())
	}
}

/// How the live bytes of packs change in one transaction.
#[derive(Default)]
struct Live {
	change: BTreeMap<u32, (i64, u64)>,
}

impl Live {
	fn add(&mut self, place: &Place) {
		self.change.entry(place.pack).or_default().0 += place.size() as i64;
	}

	fn sub(&mut self, place: &Place) {
		self.change.entry(place.pack).or_default().0 -= place.size() as i64;
	}

	/// The pack is indexed up to the end of this record.
	fn reach(&mut self, place: &Place) {
		let end = &mut self.change.entry(place.pack).or_default().1;
		*end = (*end).max(u64::from(place.offset) + place.size());
	}

	fn write(self, txn: &WriteTransaction) -> Result<()> {
		let mut packs = txn.open_table(PACKS)?;
		for (number, (change, reached)) in self.change {
			let (live, end) = packs.get(number)?.map_or((0, 0), |state| state.value());
			packs.insert(number, (live.saturating_add_signed(change), end.max(reached)))?;
		}
		Ok(())
	}
}

/// Writes down another form of records, or none.
#[cfg(test)]
pub(crate) fn state_form(path: &Path, form: Option<u32>) {
	let database = redb::Database::create(path).expect("can be opened");
	let txn = database.begin_write().expect("can be written");
	{
		let mut meta = txn.open_table(META).expect("is there");
		match form {
			Some(form) => drop(meta.insert("form", form).expect("can be written")),
			None => drop(meta.remove("form").expect("can be written")),
		}
	}
	txn.commit().expect("can be written");
}
