// Kubo daemons as stores: of the owner, of half of the workers and of one masternode. The others have the one
// inside. Each daemon is a process of its own, and they meet as strangers do. The owner's answers slowly.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { account, rpc, SOON, until } from './lib/chain.mjs';
import { includes, killedMidRange } from './lib/crash.mjs';
import { Kubo, slowed } from './lib/kubo.mjs';
import { realText, Site } from './lib/site.mjs';

/** Kubo's binary, by scripts/build-kubo.sh. */
const { DGCS_KUBO } = process.env;
/** How many pieces of the text are leased together. */
const RANGE = 8;
const skip = DGCS_KUBO ? false : 'DGCS_KUBO is not set: scripts/build-kubo.sh says why';

describe('kubo', { skip }, () => {
	/** @type {Site} */
	let site;
	/** By whose store it is: the owner's, those of two workers, and that of a masternode. @type {Map<string, Kubo>} */
	const kubos = new Map();
	/** The way to the owner's. */
	let slow;

	before(async () => {
		// Before the masternodes, one of which asks its own as soon as it starts.
		const stores = async ({ folder, logs }) => {
			await Promise.all(['owner', 'worker-1', 'worker-2', 'dave'].map(async (name) => {
				const log = path.join(logs, `kubo-${name}.log`);
				kubos.set(name, await Kubo.start(DGCS_KUBO, path.join(folder, `kubo-${name}`), log));
			}));
			return { dave: kubos.get('dave') };
		};
		site = await Site.start('kubo', { stores });
		slow = await slowed(kubos.get('owner').url, 100);
		await site.hire(4, { slots: 2, kubos: ['worker-1', 'worker-2'].map((name) => kubos.get(name)) });
	});

	after(async () => {
		slow?.close();
		await Promise.all([...kubos.values()].map((kubo) => kubo.stop()));
		await site?.stop();
	});

	it('keeps a task, and brings its results, though a worker and the daemon of another are killed', async () => {
		const [text, out] = [site.path('text'), site.path('words')];
		writeFileSync(text, realText(64 << 20));
		const owner = kubos.get('owner');
		const store = ['--kubo', slow.url];
		const running = site.owner('eve', [
			'task', 'run', site.program('wordcount.wasm'), '--input', text, '--split', 'lines:50000',
			'--join', 'merge', '--merge-time', '2m', '--memory', '512', '--range', String(RANGE), '--out', out,
			'--account', '//Eve', '--yes', '--detach', ...store,
		]);
		const submitted = site.log.wait('tasks.Submitted', { owner: account('//Eve').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		const dave = site.network.api('dave');
		const held = until(dave, 'dave holds all of the task', async () => {
			// Before it knows the task, it says that.
			return (await rpc(dave, 'dgcs_held', task).catch(() => ({}))).complete;
		});
		held.catch(() => {}); // It is waited for later.
		const both = site.workers.slice(0, 2);
		const { worker: victim, place } = await killedMidRange(both, task, RANGE);
		const other = both.find((worker) => worker !== victim);
		const ofOther = await amidRange(other, task);
		await kubos.get(other.name).restart();
		const run = await running;
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { manifest } = (await site.owner('eve', ['task', 'show', String(task)])).said[0];
		assert.ok(pins(owner).includes(manifest), 'the content is in the daemon');
		await held;
		assert.ok(pins(kubos.get('dave')).includes(manifest), "it is in the masternode's as well");

		const { data } = await site.log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.deepEqual([data.settlement.end, data.settlement.chain.failed], ['Completed', 0]);
		const fetch = ['task', 'fetch', String(task), '--account', '//Eve', '--out', out, '--yes', ...store];
		const fetched = await site.owner('eve', fetch);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = site.native('wordcount', [], readFileSync(text));
		assert.ok(readFileSync(path.join(out, 'result')).equals(whole), 'as counted at home, in one piece');
		assert.ok(!pins(owner).includes(manifest), 'what has been fetched is let go');

		// Three of four had a part in each range, so workers of both kinds. They agreed.
		const { workers } = (await site.owner('eve', ['task', 'show', String(task)])).said[0];
		assert.ok(workers.length >= 3);
		assert.ok(workers.every(({ dissented }) => dissented === 0), JSON.stringify(workers));
		const theirs = ['worker-1', 'worker-2'].flatMap((name) => pins(kubos.get(name)));
		assert.ok(theirs.length > 0, 'results are kept in their daemons');

		// Who was killed has taken its range up again, voted, and was paid for it.
		const revealed = { event: 'revealed', ...place };
		assert.ok(victim.said.some((note) => includes(note, revealed)), `${victim.log}: ${JSON.stringify(place)}`);
		const receipts = site.log.all('verdicts.Decided', { task, range: place.range }).flatMap(({ data }) => data.receipts);
		const own = receipts.filter(({ worker }) => worker === account(victim.uri).address);
		assert.ok(own.some(({ agreed, paid }) => agreed > 0 && paid > 0n), `${victim.log}: ${JSON.stringify(place)}`);

		// Whose daemon was killed has shown what it computed as well.
		const also = { event: 'revealed', ...ofOther };
		assert.ok(other.said.some((note) => includes(note, also)), `${other.log}: ${JSON.stringify(ofOther)}`);
	});
});

/** A range of which a worker has computed something and shown nothing. */
async function amidRange(worker, task) {
	const rangeOf = ({ subtask }) => Math.floor(subtask / RANGE);
	const shown = (range) => worker.said.some((note) => includes(note, { event: 'revealed', task, range }));
	const note = await worker.says('computed', (note) => note.task === task && !shown(rangeOf(note)));
	return { task, range: rangeOf(note) };
}

/** Fails when a command does. */
async function failed(running) {
	const { code, said } = await running;
	assert.equal(code, 0, JSON.stringify(said.at(-1)));
	return new Promise(() => {});
}

/** The roots that a daemon keeps, by names as DGCS has them: not the empty folder of every new one. */
function pins(kubo) {
	const all = kubo.run('pin', 'ls', '--type=recursive', '--quiet').split('\n');
	return all.filter((name) => name.startsWith('baf'));
}
