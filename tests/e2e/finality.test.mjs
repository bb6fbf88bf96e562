// A key share that was given can't be taken back, and a lease that is not final may be undone: masternodes give
// shares for final leases alone. While two of four are away there are blocks, and none of them becomes final.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { account, rpc, until } from './lib/chain.mjs';
import { MASTERNODES } from './lib/network.mjs';
import { Site } from './lib/site.mjs';
import { echoes } from './lib/wasm.mjs';

/** Too many for the others to make a block final without them. */
const AWAY = ['charlie', 'dave'];
const THERE = MASTERNODES.filter((name) => !AWAY.includes(name));
/** Where the keys are that a worker needs: the task's own, and that of its only range. */
const POSITIONS = [0, 1];

describe('a lease', () => {
	/** @type {Site} */
	let site;
	let api, log;
	/** Is registered, and away until it is to draw its lease. @type {import('./lib/dgcs.mjs').RealWorker} */
	let worker;
	let address;
	let task;

	before(async () => {
		site = await Site.start('finality');
		({ api, log } = site);
		await site.hire(1, { chain: site.network.node('alice').url });
		[worker] = site.workers;
		({ address } = account(worker.uri));
		await worker.kill();
		task = await submit();
	});

	after(() => site?.stop());

	/** Submits a task, and waits until every masternode holds all of it. */
	async function submit() {
		const program = site.path('echo.wasm');
		writeFileSync(program, echoes());
		// With so much time for a subtask, a lease lasts for more than a hundred blocks, whatever restarts take.
		const run = await site.owner('eve', [
			'task', 'run', program, '--count', '1', '--time', '5m', '--memory', '64', '--out', site.path('out'),
			'--account', '//Eve', '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.event('submitted');
		await Promise.all(MASTERNODES.map((name) => {
			return until(site.network.api(name), `${name} holds all of the task`, async (masternode) => {
				// Before it knows the task, it says that.
				return (await rpc(masternode, 'dgcs_held', task).catch(() => ({}))).complete;
			});
		}));
		return task;
	}

	/** The numbers of the holders whose shares of a key a masternode gives the worker. */
	async function holders(name, position) {
		const shares = await rpc(site.network.api(name), 'dgcs_keyShare', task, position, address);
		return shares.map(({ holder }) => holder);
	}

	it('opens keys once it is final, and none before', async () => {
		await Promise.all(AWAY.map((name) => site.network.node(name).stop()));
		worker.start();
		// It sees its lease in the best block.
		const { block, finalised } = await worker.says('status', ({ waiting }) => waiting === 1);
		assert.ok(finalised < block, `the last final block is #${finalised}, the best one #${block}`);
		const [best, final] = await Promise.all([
			rpc(api, 'dgcs_range', task, 0),
			rpc(api, 'chain_getFinalizedHead').then((hash) => rpc(api, 'dgcs_range', task, 0, hash)),
		]);
		assert.deepEqual(best.seats.map(({ worker, stage }) => [worker, stage]), [[address, 'leased']]);
		assert.equal(final, null, 'nobody has a seat in the last final block');

		for (const name of THERE) {
			for (const position of POSITIONS) {
				await assert.rejects(holders(name, position), {
					code: -32910,
					message: /if it was drawn just now, ask again when its block is final/,
					data: { task, worker: address },
				}, `${name}, position ${position}`);
			}
		}
		const begun = worker.said.filter(({ event }) => event === 'started');
		assert.deepEqual(begun, [], 'the worker waits until it may have the keys');

		await site.network.start();
		const leased = await log.wait('tasks.Leased', { task, worker: address });
		assert.ok(leased.block > finalised, `#${leased.block}`);
		for (const position of POSITIONS) {
			const given = await Promise.all(MASTERNODES.map((name) => {
				return until(site.network.api(name), `${name} gives its share`, () => {
					// One that was away may not have the block yet, and says that.
					return holders(name, position).catch(() => null);
				});
			}));
			assert.deepEqual(given.flat().sort(), [0, 1, 2, 3], `one share each, position ${position}`);
		}

		// That it had to wait is no fault of the worker's.
		await worker.says('committed', (note) => note.task === task);
		await log.wait('verdicts.Committed', { task, worker: address });
		assert.equal(log.all('tasks.Leased', { task }).length, 1, 'by the lease that it had all the time');
		assert.deepEqual(log.all('workers.Slashed'), []);
	});
});
