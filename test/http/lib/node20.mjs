// What PostGraphile 5 takes from Node 22 and Node 20 does not have. Imported
// by tests alone: people run PostGraphile on the Node that it asks for.
Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
};
