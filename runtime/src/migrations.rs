//! What changes storage when this runtime replaces an older one.
//!
//! The feature `next-runtime` builds the runtime after this one: the same code with a higher
//! version and a migration over every worker. It exists to rehearse an upgrade on a running
//! network, in the end-to-end tests and by hand.

/// Migrations that fit one block, in order.
pub type SingleBlock = ();

/// Migrations that may take many blocks, in order.
#[cfg(not(feature = "next-runtime"))]
pub type MultiBlock = ();
/// Migrations that may take many blocks, in order.
#[cfg(feature = "next-runtime")]
pub type MultiBlock = (rehearsal::ForgiveAbsence,);

#[cfg(feature = "next-runtime")]
mod rehearsal {
	use frame_support::{
		migrations::{MigrationId, SteppedMigration, SteppedMigrationError},
		weights::WeightMeter,
	};
	use pallet_workers::Workers;

	use crate::{AccountId, Runtime, System};

	/// Notes every worker as seen now, so that nobody is taken for offline because the network
	/// stood still for the upgrade. The cursor is the last worker that was done.
	pub struct ForgiveAbsence;

	impl SteppedMigration for ForgiveAbsence {
		type Cursor = AccountId;
		type Identifier = MigrationId<14>;

		fn id() -> Self::Identifier {
			MigrationId { pallet_id: *b"pallet-workers", version_from: 0, version_to: 0 }
		}

		fn step(
			cursor: Option<AccountId>,
			meter: &mut WeightMeter,
		) -> Result<Option<AccountId>, SteppedMigrationError> {
			let required = <Runtime as frame_system::Config>::DbWeight::get().reads_writes(2, 1);
			if !meter.can_consume(required) {
				return Err(SteppedMigrationError::InsufficientWeight { required });
			}
			let mut workers = match &cursor {
				Some(last) => {
					Workers::<Runtime>::iter_from(Workers::<Runtime>::hashed_key_for(last))
				},
				None => Workers::<Runtime>::iter(),
			};
			let mut done = cursor;
			while meter.try_consume(required).is_ok() {
				let Some((account, mut worker)) = workers.next() else { return Ok(None) };
				worker.last_seen = System::block_number();
				Workers::<Runtime>::insert(&account, worker);
				done = Some(account);
			}
			Ok(done)
		}
	}
}
