// The chain replaces its own runtime while it runs, with a task under way.
//
// DGCS_NEXT_RUNTIME names the WASM file of a runtime with a higher `spec_version` and a migration
// in it; scripts/build-runtime.sh next-runtime builds one.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { stringToHex, u8aToHex } from '@polkadot/util';
import { blake2AsHex } from '@polkadot/util-crypto';

import { account, connect, EventLog, finalizedNumber, only, reached, rpc, send, stored, until } from './lib/chain.mjs';
import { MASTERNODES, startLocal } from './lib/network.mjs';
import { spec } from './lib/task.mjs';
import { startWorkers, Worker } from './lib/worker.mjs';

const file = process.env.DGCS_NEXT_RUNTIME;
const skip = file ? false : 'DGCS_NEXT_RUNTIME is not set: scripts/build-runtime.sh next-runtime builds it';
if (skip) console.error(`NOT TESTED: runtime upgrade. ${skip}`);

describe('runtime upgrade', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;
	/** @type {EventLog} */
	let log;

	before(async () => {
		if (skip) return;
		network = await startLocal('upgrade');
		log = await EventLog.follow(network.api('alice'));
	});

	after(async () => {
		log?.stop();
		await network?.stop();
	});

	it('keeps the chain and its tasks going', { skip }, async () => {
		const api = network.api('alice');
		const sudo = account('//Alice');
		const names = ['ann', 'ben', 'cid'];
		// The votes are half done when the runtime changes: all have committed, nobody reveals.
		let upgraded;
		const gate = new Promise((resolve) => (upgraded = resolve));
		const workers = names.map((name) => {
			return new Worker(api, log, `//worker//${name}`, { beforeReveal: () => gate });
		});
		const idle = new Worker(api, log, '//worker//dan');
		await startWorkers(api, log, account('//Bob'), [...workers, idle]);
		const submitted = await send(api, api.tx.tasks.submit(spec({ subtasks: 2 })), account('//Eve'));
		const { task } = only(submitted.events, 'tasks.Submitted');
		await Promise.all(workers.map((worker) => worker.take(1)));
		await log.wait('verdicts.RevealStarted', { task });

		const before = (await stored(api.query.system.lastRuntimeUpgrade())).specVersion;
		const code = u8aToHex(readFileSync(file));
		const upgrade = await send(api, api.tx.sudo.sudo(api.tx.system.setCode(code)), sudo);
		await until(api, 'the new runtime has run', async () => {
			return (await stored(api.query.system.lastRuntimeUpgrade())).specVersion > before;
		});
		// Not by the event: it is of the block in which polkadot.js changes types.
		const running = await rpc(api, 'state_getStorageHash', stringToHex(':code'));
		assert.equal(running, blake2AsHex(readFileSync(file)), 'its code is that of the file');
		await until(api, 'no migration is under way', async () => {
			return (await stored(api.query.migrations.cursor())) === null;
		});
		await log.wait('migrations.UpgradeCompleted');
		assert.deepEqual(log.all('migrations.MigrationFailed'), []);
		// What the migration does: nobody is absent because the chain was busy with itself.
		const { lastSeen } = await rpc(api, 'dgcs_worker', idle.address);
		assert.ok(lastSeen > upgrade.block, `seen in #${lastSeen}, upgraded in #${upgrade.block}`);

		// A client that comes now sees the new metadata, and works.
		const fresh = await connect(network.node('bob').url);
		assert.ok(fresh.runtimeVersion.specVersion.toNumber() > before);
		await send(fresh, fresh.tx.system.remark('0x00'), account('//Ferdie'));
		await fresh.disconnect();

		upgraded();
		const { data } = await log.wait('tasks.Settled', { task });
		assert.equal(data.settlement.end, 'Completed');
		const number = await finalizedNumber(api);
		await Promise.all(MASTERNODES.map((name) => reached(network.api(name), number + 5)));
	});
});
