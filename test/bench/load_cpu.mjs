// Processor time as the kernel accounts for it, in seconds.
import { readFileSync, readdirSync } from 'node:fs';

const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';      // it has just ended
  }
};

/** Of a process with all of its threads. */
export const ofProcess = (pid) => readdirSync(`/proc/${pid}/task`)
  .reduce((sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1e9, 0);

/**
 * Of the processes of a cluster; those that end count, too: the kernel keeps their
 * sum, in hundredths of a second.
 */
export function ofCluster(postmaster) {
  const stat = read(`/proc/${postmaster}/stat`).replace(/^.*\) /s, '').split(' ');
  const ended = (Number(stat[13]) + Number(stat[14])) / 100;
  const children = read(`/proc/${postmaster}/task/${postmaster}/children`).trim().split(' ');
  return [postmaster, ...children].reduce((sum, pid) => sum + Number(read(`/proc/${pid}/schedstat`).split(' ')[0] || 0) / 1e9, ended);
}
