//! What a task would be, and what it costs, before anybody agrees to it.

use std::path::PathBuf;

use dgcs_client::{AccountId, Chain};

use super::{
	args::WishArgs,
	exit::{CommandError, Result},
	output::Output,
	render,
};
use crate::{
	content::blocking,
	quote, read_program, survey,
	survey::Survey,
	wish::{JoinBy, Outline, Wish},
	Quote,
};

/// What a wish comes to: looked at, and priced.
pub(super) struct Plan {
	pub wish: Wish,
	pub survey: Survey,
	pub quote: Quote,
	/// That of the merge step, if there is one.
	pub merge: Option<Quote>,
}

impl Plan {
	pub async fn make(args: &WishArgs, chain: &Chain, owner: &AccountId) -> Result<Self> {
		let wish = args.wish().map_err(CommandError::Usage)?;
		Self::of(wish, chain, owner).await
	}

	pub async fn of(wish: Wish, chain: &Chain, owner: &AccountId) -> Result<Self> {
		let asked = wish.clone();
		let survey = blocking(move || {
			read_program(&asked.program)?;
			survey(&asked)
		})
		.await?;
		let block_time = chain.at_best().await?.block_time()?;
		let spec = wish.terms.spec(&Outline::of(&survey, &wish.terms), block_time);
		let quoted = quote(chain, owner, spec).await?;
		let merge = match wish.join {
			JoinBy::Merge => {
				let merge = wish.merge(PathBuf::new());
				let one = Survey { subtasks: 1, ..survey };
				let spec = merge.terms.spec(&Outline::of(&one, &merge.terms), block_time);
				Some(quote(chain, owner, spec).await?)
			},
			_ => None,
		};
		Ok(Plan { wish, survey, quote: quoted, merge })
	}

	/// What the owner agrees to. `what` says what it pays for.
	pub fn question(&self, what: &str) -> String {
		render::question(&self.quote, self.merge.as_ref(), what)
	}

	pub fn show(&self, output: &Output) {
		let (merge, bytes) = (self.merge.as_ref(), self.survey.bytes);
		output.result(
			|| render::quote(&self.quote, merge, bytes),
			|| render::quote_object(&self.quote, merge, bytes),
		);
		if !output.is_json() {
			self.quote.warnings_with(merge).iter().for_each(|warning| output.warn(warning));
		}
	}

	/// Whether the owner has the money.
	pub fn check(&self, owner: &AccountId) -> Result<()> {
		Ok(self.quote.check(owner, self.merge.as_ref().map_or(0, Quote::needed))?)
	}
}
