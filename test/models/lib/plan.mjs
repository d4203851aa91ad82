// What the server is to answer, and what came to it.
//
// An answer is an object of:
//   text | object              what the model says; neither: what the prompt asks for
//   stop                       its stop reason, in the words of the protocol
//   refusal                    it declines, with these words
//   usage: {input, output}     tokens
//   status, type, code, message, retry_after   an error, with the real body unless it says more
//   html                       an error page, as of a proxy; status 200 unless said
//   delay_ms                   before the first byte
//   pieces, piece_ms           in how many pieces, and the time between two
//   hold_after                 so many pieces, then it waits for /control/release
//   cut_after                  so many pieces, then the connection is torn
//   error_after                so many pieces, then an error inside of the stream (type, message)
//   malformed                  one event is not JSON
//   whole                      in one piece, although a stream was asked for
//   when                       a text of the prompt that it is for; else it is for any
export class Plan {
  constructor() {
    this.watchers = new Set();
    this.reset();
  }

  reset() {
    this.answers = [];
    this.otherwise = {};
    this.keys = ['sk-right'];
    this.max_bytes = 32 * 1024 * 1024;
    this.requests = 0;
    this.in_flight = 0;
    this.most_at_once = 0;
    this.torn = 0;
    this.began = [];
    this.log = [];
    for (const open of this.gates ?? []) open();
    this.gates = [];
    this.changed();
  }

  next(prompt) {
    const i = this.answers.findIndex(({ when }) => when === undefined || prompt.includes(when));
    return i < 0 ? this.otherwise : this.answers.splice(i, 1)[0];
  }

  begin(entry) {
    this.requests += 1;
    this.in_flight += 1;
    this.most_at_once = Math.max(this.most_at_once, this.in_flight);
    this.log.push(entry);
    if (this.log.length > 2000) this.log.shift();
    this.changed();
  }

  end() {
    this.in_flight -= 1;
    this.changed();
  }

  hold() {
    return new Promise((open) => {
      this.gates.push(open);
      this.changed();
    });
  }

  release() {
    const gates = this.gates.splice(0);
    for (const open of gates) open();
    this.changed();
    return gates.length;
  }

  show() {
    const { requests, in_flight, most_at_once, torn } = this;
    return { requests, in_flight, most_at_once, torn, held: this.gates.length, left: this.answers.length };
  }

  changed() {
    for (const look of [...this.watchers]) look();
  }

  until(condition, timeout_ms) {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (result) => { clearTimeout(timer); this.watchers.delete(look); resolve(result); };
      const look = () => { if (condition()) done(true); };
      const timer = setTimeout(() => done(false), timeout_ms);
      this.watchers.add(look);
    });
  }
}
