// A task from submission to settlement, and everything that workers may try on the way: on a
// network of four masternodes. The workers follow a script; see lib/worker.mjs.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { account, balance, EventLog, only, plain, rpc, send, stored, until } from './lib/chain.mjs';
import { rangeRoot } from './lib/merkle.mjs';
import { startLocal } from './lib/network.mjs';
import { MILLI, price, spec } from './lib/task.mjs';
import { bytes, receiptsRoot, verdictsRoot, workBlockHash } from './lib/votes.mjs';
import { startWorkers, truth, Worker } from './lib/worker.mjs';

const owner = account('//Eve');
const funder = account('//Ferdie');
const DGC = 1_000n * MILLI;

describe('tasks', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;
	/** @type {import('@polkadot/api').ApiPromise} */
	let api;
	/** @type {EventLog} */
	let log;
	/** Honest workers. */
	let ann, ben, cid;
	let issuance;

	before(async () => {
		network = await startLocal('tasks');
		api = network.api('alice');
		log = await EventLog.follow(api);
		issuance = await stored(api.query.balances.totalIssuance());
		[ann, ben, cid] = ['ann', 'ben', 'cid'].map((name) => worker(name, { slots: 8 }));
		await startWorkers(api, log, account('//Bob'), [ann, ben, cid]);
	});

	after(async () => {
		log?.stop();
		await network?.stop();
	});

	function worker(name, options) {
		return new Worker(api, log, `//worker//${name}`, options);
	}

	/** Submits a task and returns its number, and the event. */
	async function submit(changes, by = owner) {
		const done = await send(api, api.tx.tasks.submit(spec(changes)), by);
		return { ...only(done.events, 'tasks.Submitted'), ...done };
	}

	/** What workers were paid for a task, by payee. */
	function paid(task) {
		const sums = {};
		for (const { data } of log.all('escrow.Paid', { task })) {
			sums[data.payee] = (sums[data.payee] ?? 0n) + data.amount;
		}
		return sums;
	}

	/** The end of a task, once its money is all where it belongs. */
	async function settled(task) {
		await log.wait('escrow.Emptied', { task });
		return (await log.wait('tasks.Settled', { task })).data.settlement;
	}

	it('is computed, verified, paid and settled, to the last unit', async () => {
		// The second range waits until the first one's block of the work chain has been read.
		let release;
		const read = new Promise((resolve) => (release = resolve));
		let held = null;
		cid.beforeReveal = ({ range }) => {
			held ??= range;
			return range === held ? read : null;
		};

		const wanted = spec({ visibility: 'Public' });
		const before = await balances([owner, funder, ann.operator, ben.operator, cid.operator]);
		const held0 = (await balance(api, owner.address)).reserved;
		const submitted = await submit(wanted);
		const { task } = submitted;

		const share = BigInt(api.consts.escrow.masternodeShare.toString());
		const cost = price(wanted, share);
		const { total, ...parts } = cost;
		assert.deepEqual(submitted.price, parts, 'the price is what the rule says');
		const estimate = await rpc(api, 'dgcs_estimate', { ...wanted, ...named(wanted) });
		assert.equal(estimate.total, String(total), 'the estimate is the price');
		const atSubmission = await balance(api, owner.address, submitted.hash);
		assert.equal(atSubmission.reserved - held0, total, 'the price is held');
		assert.equal((await rpc(api, 'dgcs_task', task)).status, 'queued');
		assert.deepEqual(await rpc(api, 'dgcs_queuePosition', task), {
			task,
			bucket: (await rpc(api, 'dgcs_queuePosition', task)).bucket,
			ahead: 0,
		});

		const gift = total / 2n;
		const funded = await send(api, api.tx.tasks.fund(task, gift), funder);
		const { reward } = only(funded.events, 'tasks.Funded');
		const results = BigInt(wanted.subtasks * wanted.maxReplicas);
		const most = (total + gift) * 1_000_000_000n / (1_000_000_000n + share) / results;
		assert.equal(reward, most, 'all that was added goes into the reward');

		await Promise.all([ann, ben, cid].map((each) => each.take(2)));
		const first = await log.wait('verdicts.Decided', { task });
		assert.notEqual(first.data.range, held);
		const live = await rpc(api, 'dgcs_task', task);
		assert.equal(live.status, 'running');
		assert.deepEqual([live.agreed, live.openSubtasks, live.height], [2, 2, 1]);
		const chain = await rpc(api, 'dgcs_workChain', task);
		assert.equal(chain.blocks.length, 1);
		const raw = await stored(api.query.verdicts.blocks(task, 0));
		assert.equal(workBlockHash(raw), chain.blocks[0].hash, 'the hash is that of the content');
		assert.equal(chain.blocks[0].hash, first.data.hash);
		assert.equal(raw.parent, `0x${'00'.repeat(32)}`);
		assert.deepEqual(
			chain.blocks[0].verdicts.map(({ subtask, digest }) => [subtask, digest]),
			[0, 1].map((i) => [2 * first.data.range + i, truth(task, first.data.range, i)]),
		);

		release();
		const end = await settled(task);
		const second = log.all('verdicts.Decided', { task })[1];
		assert.ok(second, 'both ranges have their verdict');
		// The chain went with the task, but the state after its last verdict has all of it.
		const then = await api.at(await api.rpc.chain.getBlockHash(second.block));
		const last = await stored(then.query.verdicts.blocks(task, 1));
		assert.deepEqual(last, {
			...raw,
			index: 1,
			parent: first.data.hash,
			when: second.block,
			openSubtasks: 0,
			range: held,
			verdicts: [0, 1].map((subtask) => {
				return { subtask, outcome: { Agreed: truth(task, held, subtask) } };
			}),
			receiptsRoot: receiptsRoot(second.data.receipts),
		});
		assert.equal(workBlockHash(last), second.data.hash, 'the second block follows the first');
		const blocks = [raw, last];
		assert.equal(end.chain.tip, second.data.hash);
		assert.equal(end.chain.height, 2);
		assert.equal(raw.receiptsRoot, receiptsRoot(first.data.receipts));
		const root = (of) => rangeRoot(blocks.map((block) => bytes(of(block))));
		assert.equal(end.chain.solutionRoot, root(verdictsRoot));
		assert.equal(end.chain.receiptsRoot, root((block) => block.receiptsRoot));
		assert.deepEqual([end.end, end.chain.agreed, end.chain.failed], ['Completed', 4, 0]);

		const deposited = total + gift;
		const spent = BigInt(wanted.subtasks * wanted.replicas) * reward;
		const masternodes = (spent * share + 999_999_999n) / 1_000_000_000n;
		assert.deepEqual(end.sums, { paid: spent, masternodes, refunded: deposited - spent - masternodes });
		const toFunder = end.sums.refunded * gift / deposited;
		const after = await balances([owner, funder, ann.operator, ben.operator, cid.operator]);
		const change = before.map((then, i) => after[i] - then);
		const fee = submitted.fee;
		assert.ok(fee > 0n && funded.fee > 0n);
		assert.deepEqual(change, [
			end.sums.refunded - toFunder - total - fee,
			toFunder - gift - funded.fee,
			...Array(3).fill(spent / 3n),
		]);
		assert.deepEqual(Object.values(paid(task)), Array(3).fill(spent / 3n));
		assert.equal((await balance(api, owner.address)).reserved, held0, 'nothing is held any more');
		const kept = await rpc(api, 'dgcs_task', task);
		assert.deepEqual([kept.status, kept.refunded], ['settled', String(end.sums.refunded)]);
		cid.beforeReveal = () => {};
	});

	it('costs an honest worker nothing but the fee for asking', async () => {
		const { task } = await submit({ subtasks: 2, rangeSize: 2 });
		const before = await balances([ann.account, ben.account, cid.account]);
		const asked = await Promise.all([ann, ben, cid].map((each) => each.take(1)));
		await settled(task);
		const after = await balances([ann.account, ben.account, cid.account]);
		assert.deepEqual(after, before.map((then, i) => then - asked[i].fee));
		for (const each of [ann, ben, cid]) {
			const votes = each.actions.filter((action) => action.task === task);
			assert.deepEqual(votes.map(({ what, fee, error }) => [what, fee, error]), [
				['commit', 0n, undefined],
				['reveal', 0n, undefined],
			]);
		}
		const view = await rpc(api, 'dgcs_worker', ann.address);
		assert.deepEqual([view.standing, view.busy, view.operator], ['good', 0, ann.operator.address]);
		assert.ok(view.goodRun > 0);
	});

	it('tells a worker why it gets nothing', async () => {
		const { leased, reason } = await ann.take(1);
		assert.deepEqual([leased, reason], [0, 'QueueEmpty']);
	});

	it('shares rewards over the last credits where the owner wants that', async () => {
		const { task, price: { rewards } } = await submit({ payout: { Pplns: { window: 6 } } });
		await Promise.all([ann, ben, cid].map((each) => each.take(2)));
		const end = await settled(task);
		const sums = Object.values(paid(task));
		assert.equal(sums.reduce((a, b) => a + b), end.sums.paid);
		// All three were right all the time: equal parts, but for what rounding takes.
		assert.ok(end.sums.paid <= rewards && rewards - end.sums.paid < 6n);
	});

	it('has no place for a liar', async () => {
		const liar = worker('liar', { conduct: 'liar', slots: 2 });
		await startWorkers(api, log, account('//Bob'), [liar]);
		const { task, price: { rewards } } = await submit();
		await Promise.all([ann, ben, liar].map((each) => each.take(2)));
		const end = await settled(task);

		assert.equal(end.end, 'Completed');
		assert.equal(end.sums.paid, rewards / 3n * 2n, 'the two honest ones are paid');
		assert.equal(paid(task)[liar.operator.address], undefined);
		const slash = (await slashOf('wrongSlash')) * 2n;
		const faults = log.all('workers.Slashed', { worker: liar.address });
		assert.deepEqual(faults.map(({ data }) => [data.amount, data.fault]), [
			[slash, 'Dissented'],
			[slash, 'Dissented'],
		]);
		assert.equal(log.all('workers.Suspended', { worker: liar.address }).length, 1);
		assert.equal(log.all('workers.Blacklisted', { worker: liar.address }).length, 1);
		const view = await rpc(api, 'dgcs_worker', liar.address);
		assert.equal(view.standing, 'blacklisted');
		assert.equal(view.bond, String((await bond()) * 2n - 2n * slash));
		await assert.rejects(liar.take(1), { name: 'tasks.Blacklisted' });
		await assert.rejects(
			send(api, api.tx.workers.replenish(), liar.account),
			{ name: 'workers.Blacklisted' },
		);
	});

	it('does without those that are silent, absent, or vote with what is not theirs', async () => {
		const absent = worker('absent', { conduct: 'neverCommits' });
		const silent = worker('silent', { conduct: 'silentAfterCommit' });
		const copycat = worker('copycat', { conduct: 'copycat' });
		const replayer = worker('replayer', { conduct: 'replayer', slots: 3 });
		const deviants = [absent, silent, copycat, replayer];
		await startWorkers(api, log, account('//Bob'), deviants);

		// Two seats of every range go to honest workers, and then the third one to somebody else.
		const { task } = await submit({ subtasks: 5, rangeSize: 1 });
		await Promise.all([ann, ben].map((each) => each.take(5)));
		await Promise.all([
			...[absent, silent, copycat].map((each) => each.take(1)),
			replayer.take(2),
		]);
		assert.equal(log.all('tasks.Leased', { task }).length, 15);
		const { seats, openSubtasks } = await rpc(api, 'dgcs_range', task, 4);
		assert.deepEqual([seats.length, openSubtasks], [3, [4]]);
		assert.ok([ann, ben].every((each) => seats.some(({ worker }) => worker === each.address)));
		const { task: other } = await submit({ subtasks: 1, rangeSize: 1 });
		await Promise.all([ann, ben, replayer].map((each) => each.take(1)));

		// Whoever fails is replaced by the same worker, which is on none of these ranges.
		let replaced = Promise.resolve();
		const stop = log.listen(({ pallet, name, data }) => {
			const open = pallet === 'verdicts' && ['Lapsed', 'RoundOpened'].includes(name);
			if (open && [task, other].includes(data.task)) replaced = replaced.then(() => cid.take(1));
		});
		const ends = await Promise.all([settled(task), settled(other)]);
		stop();
		await replaced;

		assert.deepEqual(ends.map(({ end, chain }) => [end, chain.agreed, chain.failed]), [
			['Completed', 5, 0],
			['Completed', 1, 0],
		]);
		assert.equal(ends[0].sums.paid, 15n * spec().reward, 'three results of each subtask are paid');
		const earned = (each) => paid(task)[each.operator.address] ?? 0n;
		assert.deepEqual([absent, silent, copycat].map(earned), [0n, 0n, 0n]);
		assert.equal(earned(replayer), spec().reward, 'its first vote was honest');

		const offline = (await bond()) * part('offlineSlash') / 1_000_000_000n;
		const wrong = await slashOf('wrongSlash');
		const slashes = (each) => log.all('workers.Slashed', { worker: each.address })
			.map(({ data }) => [data.fault, data.amount]);
		assert.deepEqual(slashes(absent), [['Offline', offline]]);
		assert.deepEqual(slashes(silent), [['Withheld', wrong]]);
		assert.deepEqual(slashes(copycat), [['Withheld', wrong]]);
		assert.deepEqual(slashes(replayer), Array(2).fill(['Withheld', 3n * wrong]));
		const standings = await Promise.all(deviants.map(async (each) => {
			return (await rpc(api, 'dgcs_worker', each.address)).standing;
		}));
		// Two bad results at once are the end of a newcomer; with its good one before the second they
		// are not.
		const [, second] = log.all('workers.Slashed', { worker: replayer.address });
		const [good] = log.all('escrow.Paid', { task, payee: replayer.operator.address });
		const inTime = log.events.indexOf(good) < log.events.indexOf(second);
		const replayed = inTime ? 'suspended' : 'blacklisted';
		assert.deepEqual(standings, ['good', 'suspended', 'suspended', replayed]);

		assert.deepEqual(silent.did('reveal'), []);
		const outcomes = (each, what) => each.did(what).map(({ error }) => error);
		assert.deepEqual(outcomes(copycat, 'commit'), [undefined], 'a commitment can be copied');
		assert.deepEqual(outcomes(copycat, 'reveal'), ['verdicts.CommitmentMismatch'], 'but not opened');
		const mismatch = 'verdicts.CommitmentMismatch';
		assert.deepEqual(outcomes(replayer, 'reveal').sort(), [undefined, mismatch, mismatch].sort());
		const failed = [...copycat.did('reveal'), ...replayer.did('reveal')].filter((a) => a.error);
		assert.ok(failed.every(({ fee }) => fee > 0n), 'a reveal that fails is not free');
	});

	it('gives everything back where nothing was computed', async () => {
		const before = await balances([owner]);
		const [expiring, cancelled] = await Promise.all([submit({ queueTimeout: 3 }), submit()]);
		await assert.rejects(
			send(api, api.tx.tasks.cancel(cancelled.task), funder),
			{ name: 'tasks.NotOwner' },
		);
		const cancel = await send(api, api.tx.tasks.cancel(cancelled.task), owner);
		const ends = await Promise.all([expiring, cancelled].map(({ task }) => settled(task)));
		assert.deepEqual(ends.map(({ end }) => end), ['Expired', 'Cancelled']);
		assert.deepEqual(ends.map(({ sums }) => sums.paid + sums.masternodes), [0n, 0n]);
		const fees = expiring.fee + cancelled.fee + cancel.fee;
		assert.deepEqual(await balances([owner]), [before[0] - fees]);
	});

	it('is refused, at a price, where it breaks a rule', async () => {
		const before = await balances([owner]);
		const wrong = {
			'tasks.SubtasksOutOfRange': spec({ subtasks: 0 }),
			'tasks.RangeSizeOutOfRange': spec({ rangeSize: 65 }),
			'tasks.BadReplicas': spec({ replicas: 4 }),
			'tasks.RewardTooLow': spec({ reward: 0n }),
			'tasks.LimitsOutOfRange': spec({ limits: { timeMs: 0, memoryMib: 64, fuel: 1 } }),
			'tasks.TimeoutOutOfRange': spec({ queueTimeout: 0 }),
			'tasks.WindowOutOfRange': spec({ payout: { Pplns: { window: 33 } } }),
			'tasks.KindNotSupported': spec({ kind: 'Host' }),
			'tasks.DeadlineTooShort': spec({ runTimeout: 1 }),
			'tasks.PriceOverflow': spec({ reward: (1n << 128n) - 1n }),
			'token.FundsUnavailable': spec({ reward: 10_000_000n * DGC }),
		};
		const errors = await Promise.all(Object.values(wrong).map((each) => {
			return send(api, api.tx.tasks.submit(each), owner).then(() => null, (error) => error);
		}));
		assert.deepEqual(errors.map((error) => error?.name), Object.keys(wrong));
		const fees = errors.reduce((sum, { fee }) => sum + fee, 0n);
		assert.ok(errors.every(({ fee }) => fee > 0n));
		assert.deepEqual(await balances([owner]), [before[0] - fees], 'and changes nothing else');
	});

	it('takes nothing from accounts that have no part in it', async () => {
		const poor = account('//nobody');
		const stranger = funder;
		const names = await Promise.all([
			[api.tx.tasks.submit(spec()), poor],
			[api.tx.tasks.take(1), stranger],
			[api.tx.verdicts.commit(0, 0, ZERO), stranger],
			[api.tx.verdicts.reveal(0, 0, [ZERO], ZERO), stranger],
			[api.tx.tasks.settle(1_000_000), stranger],
			[api.tx.tasks.fund(1_000_000, DGC), stranger],
			[api.tx.verdicts.expire(0, 0), stranger],
			[api.tx.escrow.refund(0, stranger.address), stranger],
		].map(([tx, by]) => send(api, tx, by).then(() => null, (error) => error.name)));
		assert.deepEqual(names, [
			'pool',
			'tasks.NotRegistered',
			'verdicts.UnknownRange',
			'verdicts.UnknownRange',
			'tasks.UnknownTask',
			'tasks.UnknownTask',
			'verdicts.UnknownRange',
			'escrow.UnknownTask',
		]);
	});

	it('leaves nothing behind but its settlement', async () => {
		const kept = ['settlements'];
		await until(api, 'all that tasks left is deleted', async () => {
			return (await leftovers(kept)).length === 0;
		}).catch(async (error) => {
			assert.deepEqual(await leftovers(kept), [], error.message);
		});
		const count = await stored(api.query.tasks.nextTaskId());
		const settlements = await api.query.tasks.settlements.entries();
		assert.equal(settlements.length, count, 'every owner wanted its settlement kept');
		for (const [, value] of settlements) {
			const { sums, chain } = plain(value);
			assert.ok(sums.paid >= 0n && chain.agreed >= 0);
			assert.ok(value.encodedLength <= 256);
		}
	});

	it('neither makes money nor loses any', async () => {
		assert.equal(await stored(api.query.balances.totalIssuance()), issuance);
	});

	/** Maps of the pallets that tasks live in, with something in them, but for those named. */
	async function leftovers(kept) {
		const found = [];
		for (const pallet of ['tasks', 'verdicts', 'escrow']) {
			for (const [name, query] of Object.entries(api.query[pallet])) {
				if (!query.creator.meta.type.isMap || kept.includes(name)) continue;
				const keys = await query.keys();
				if (keys.length > 0) found.push(`${pallet}.${name}: ${keys.length}`);
			}
		}
		return found;
	}

	async function balances(accounts) {
		return Promise.all(accounts.map(async ({ address }) => (await balance(api, address)).total));
	}

	async function bond() {
		return BigInt(api.consts.workers.bond.toString());
	}

	/** A constant of the workers pallet, in thousand-millionths. */
	function part(name) {
		return BigInt(api.consts.workers[name].toString());
	}

	/** What a fault costs a worker with one slot. */
	async function slashOf(name) {
		return (await bond()) * part(name) / 1_000_000_000n;
	}
});

const ZERO = `0x${'00'.repeat(32)}`;

/** A specification's choices as the RPC spells them. */
function named({ kind, reward, selection, payout, visibility }) {
	return {
		kind: kind.toLowerCase(),
		reward: String(reward),
		selection: selection.toLowerCase(),
		payout: payout.toLowerCase(),
		visibility: visibility.toLowerCase(),
		manifest: undefined,
	};
}
