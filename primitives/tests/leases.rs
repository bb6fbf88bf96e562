//! Who may have the key of a range: the rule by which masternodes release it.

use dgcs_primitives::{
	api::{RangeView, SeatStage, SeatView},
	Round,
};

const NOW: u32 = 10;

/// Each stage of a seat, and whether its worker may have the key in block [`NOW`].
const STAGES: [(SeatStage, bool); 6] = [
	(SeatStage::Leased { until: NOW + 1 }, true),
	(SeatStage::Leased { until: NOW }, true),
	(SeatStage::Leased { until: NOW - 1 }, false),
	// It may have lost what it has to reveal.
	(SeatStage::Committed, true),
	(SeatStage::Revealed, false),
	(SeatStage::Withheld, false),
];

fn seat(worker: u8, stage: SeatStage) -> SeatView<u8> {
	SeatView { worker, operator: worker, round: Round(0), stage, agreed: 0, dissented: 0 }
}

fn range(seats: Vec<SeatView<u8>>) -> RangeView<u8> {
	RangeView { round: Round(0), open: 1, reveal_until: None, seats }
}

#[test]
fn a_lease_is_live_from_the_draw_to_the_reveal() {
	for (stage, live) in STAGES {
		assert_eq!(stage.is_live(NOW), live, "{stage:?}");
		assert_eq!(range(vec![seat(1, stage)]).has_lease(&1, NOW), live, "{stage:?}");
	}
}

#[test]
fn a_lease_is_nobody_elses() {
	let seats = vec![seat(1, SeatStage::Committed), seat(2, SeatStage::Revealed)];
	let range = range(seats);
	assert!(range.has_lease(&1, NOW));
	assert!(!range.has_lease(&2, NOW), "its own is over, and another has one");
	assert!(!range.has_lease(&3, NOW), "it never had one");
}
