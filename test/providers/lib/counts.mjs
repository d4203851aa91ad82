// What arrived: by endpoint, how many at once, and a log of the last requests.
// Tests assert on these, so they count what came, also what was refused.
const KEPT = 5000;

export class Counts {
  constructor() {
    this.watchers = new Set();
    this.reset();
  }

  reset() {
    this.requests = {};
    this.in_flight = {};
    this.most_at_once = {};
    this.held = {};
    this.statuses = {};
    this.connections = 0;
    this.log = [];
    this.gates = [];
    this.changed();
  }

  begin(entry) {
    const { endpoint } = entry;
    this.requests[endpoint] = (this.requests[endpoint] ?? 0) + 1;
    this.in_flight[endpoint] = (this.in_flight[endpoint] ?? 0) + 1;
    this.most_at_once[endpoint] = Math.max(this.most_at_once[endpoint] ?? 0, this.in_flight[endpoint]);
    this.log.push(entry);
    if (this.log.length > KEPT) this.log.splice(0, this.log.length - KEPT);
    this.changed();
    return this.in_flight;
  }

  // in_flight is that of the time before a reset, if there was one
  end(entry, status, inFlight) {
    entry.status = status;
    inFlight[entry.endpoint] -= 1;
    const key = `${entry.endpoint} ${status ?? 'closed'}`;
    this.statuses[key] = (this.statuses[key] ?? 0) + 1;
    this.changed();
  }

  // Waits until the test opens the gate.
  hold(endpoint) {
    this.held[endpoint] = (this.held[endpoint] ?? 0) + 1;
    return new Promise((open) => {
      this.gates.push({ endpoint, open: () => { this.held[endpoint] -= 1; this.changed(); open(); } });
      this.changed();
    });
  }

  release(endpoint) {
    const mine = this.gates.filter((gate) => endpoint === undefined || gate.endpoint === endpoint);
    this.gates = this.gates.filter((gate) => !mine.includes(gate));
    for (const gate of mine) gate.open();
    return mine.length;
  }

  changed() {
    for (const look of [...this.watchers]) look();
  }

  // Waits until the condition holds; false after timeout_ms.
  until(condition, timeout_ms) {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (result) => { clearTimeout(timer); this.watchers.delete(look); resolve(result); };
      const look = () => { if (condition()) done(true); };
      const timer = setTimeout(() => done(false), timeout_ms);
      this.watchers.add(look);
    });
  }

  show() {
    const { requests, in_flight, most_at_once, held, statuses, connections } = this;
    return { requests, in_flight, most_at_once, held, statuses, connections };
  }
}
