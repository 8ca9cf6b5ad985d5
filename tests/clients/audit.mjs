// Runs the public audit of the GraphQL-over-HTTP specification against a server.
//
//   node audit.mjs <url> [<headers as JSON>]
//
// Prints what is not fulfilled and the counts; ends with 1 unless everything is.
import { serverAudits } from 'graphql-http';

const [url, headers = '{}'] = process.argv.slice(2);
const fetchFn = (target, init = {}) =>
  fetch(target, { ...init, headers: { ...JSON.parse(headers), ...init.headers } });

const audits = serverAudits({ url, fetchFn });
let fulfilled = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') {
    fulfilled += 1;
  } else {
    console.log(`${result.status}: ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`${fulfilled} of ${audits.length} audits fulfilled`);
process.exit(audits.length > 0 && fulfilled === audits.length ? 0 : 1);
