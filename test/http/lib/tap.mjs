// A reporter: one line of TAP per test, in groups or not, since test/run counts
// those; what failed below its line. node --test --test-reporter=./lib/tap.mjs
//
// Node's own TAP has one line per group at the top level, and inside it, where
// a reader that does not nest sees nothing, its tests.
const asComment = (text) => text.trimEnd().replace(/^/gm, '# ');
const escaped = (name) => name.replace(/[\\#]/g, '\\$&').replace(/\s+/g, ' ');

/** What is to be read of a failure: the message and where, or the fault of the test itself. */
function reason({ details: { error }, file, line }) {
  const cause = error?.cause ?? error;
  const text = cause?.stack ?? cause?.message ?? String(cause);
  return `${asComment(String(text))}\n# at ${file}:${line}`;
}

const isSkipped = ({ skip }) => skip !== undefined && skip !== false;

// A group counts by its tests, unless it was skipped or something of its own failed.
const isCounted = ({ type, data }) => data.details?.type !== 'suite' || isSkipped(data) ||
  (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed');

export default async function* tap(events) {
  const groups = [];
  let count = 0;
  yield 'TAP version 13\n';
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      groups.length = data.nesting;
      groups.push(data.name);
    } else if (type === 'test:pass' || type === 'test:fail') {
      if (!isCounted({ type, data })) continue;
      const name = escaped([...groups.slice(0, data.nesting), data.name].join(': '));
      const skipped = isSkipped(data) ? ` # SKIP ${data.skip === true ? '' : data.skip}` : '';
      yield `${type === 'test:pass' ? 'ok' : 'not ok'} ${++count} - ${name}${skipped}\n`;
      if (type === 'test:fail') yield `${reason(data)}\n`;
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      yield `${asComment(data.message)}\n`;
    }
  }
  yield `1..${count}\n`;
}
