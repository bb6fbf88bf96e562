// Where cargo has put compiled tests, as JSON. Standard input is what it says in `--message-format json`;
// arguments are CRATE/TEST by the folder of the crate, or CRATE:FILTER for some of the crate's own tests.

import { readFileSync } from 'node:fs';
import path from 'node:path';

const messages = readFileSync(0, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const tests = messages
	.filter(({ executable, profile }) => executable && profile.test)
	.map(({ executable, manifest_path, target: { name, kind } }) => {
		const crate = path.dirname(manifest_path);
		const folder = path.relative('.', crate);
		return { id: kind.includes('test') ? `${folder}/${name}` : folder, crate, executable };
	});
const found = process.argv.slice(2).map((wanted) => {
	const [id, filter = ''] = wanted.split(':');
	const test = tests.find((each) => each.id === id) ?? fail(`cargo has compiled no test ${id}`);
	return { ...test, name: wanted, filter };
});
console.log(JSON.stringify(found));

/** @returns {never} */
function fail(message) {
	console.error(`executables: error: ${message}`);
	process.exit(1);
}
