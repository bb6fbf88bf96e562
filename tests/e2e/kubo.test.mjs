// Kubo daemons as stores: of the owner, and of half of the workers. The others and the masternodes
// have the one inside. Each daemon is a process of its own, and they meet as strangers do. The owner's answers
// slowly.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { SOON } from './lib/chain.mjs';
import { Kubo, slowed } from './lib/kubo.mjs';
import { realText, Site } from './lib/site.mjs';

/** Kubo's binary, by scripts/build-kubo.sh. */
const { DGCS_KUBO } = process.env;
const skip = DGCS_KUBO ? false : 'DGCS_KUBO is not set: scripts/build-kubo.sh says why';

describe('kubo', { skip }, () => {
	/** @type {Site} */
	let site;
	/** @type {Kubo[]} of the owner, and of two workers */
	let kubos = [];
	/** The way to the owner's. */
	let slow;

	before(async () => {
		site = await Site.start('kubo');
		const daemon = (name) => {
			return Kubo.start(DGCS_KUBO, site.path(`kubo-${name}`), path.join(site.network.logs, `kubo-${name}.log`));
		};
		kubos = await Promise.all(['owner', 'worker-1', 'worker-2'].map(daemon));
		slow = await slowed(kubos[0].url, 100);
		await site.hire(4, { slots: 2, kubos: kubos.slice(1) });
	});

	after(async () => {
		slow?.close();
		await Promise.all(kubos.map((kubo) => kubo.stop()));
		await site?.stop();
	});

	it('keeps the content of a task, and brings its results', async () => {
		const [text, out] = [site.path('text'), site.path('words')];
		writeFileSync(text, realText(64 << 20));
		const [owner, ...theirs] = kubos;
		const store = ['--kubo', slow.url];
		const run = await site.owner('eve', [
			'task', 'run', site.program('wordcount.wasm'), '--input', text, '--split', 'lines:100000',
			'--memory', '512', '--range', '4', '--out', out, '--account', '//Eve', '--yes', '--detach',
			...store,
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.event('submitted');
		const { manifest } = (await site.owner('eve', ['task', 'show', String(task)])).said[0];
		assert.ok(pins(owner).includes(manifest), 'the content is in the daemon');

		const { data } = await site.log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.deepEqual([data.settlement.end, data.settlement.chain.failed], ['Completed', 0]);
		const fetched = await site.owner('eve', ['task', 'fetch', String(task), '--account', '//Eve', ...store]);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = site.native('wordcount', [], readFileSync(text));
		const counted = site.native('wordcount', ['merge'], readFileSync(path.join(out, 'result')));
		assert.ok(counted.equals(whole), 'as counted at home, in one piece');
		assert.ok(!pins(owner).includes(manifest), 'what has been fetched is let go');

		// Three of four had a part in each range, so workers of both kinds. They agreed.
		const { workers } = (await site.owner('eve', ['task', 'show', String(task)])).said[0];
		assert.ok(workers.length >= 3);
		assert.ok(workers.every(({ dissented }) => dissented === 0), JSON.stringify(workers));
		assert.ok(theirs.flatMap(pins).length > 0, 'results are kept in their daemons');
	});
});

/** The roots that a daemon keeps, by names as DGCS has them: not the empty folder of every new one. */
function pins(kubo) {
	const all = kubo.run('pin', 'ls', '--type=recursive', '--quiet').split('\n');
	return all.filter((name) => name.startsWith('baf'));
}
